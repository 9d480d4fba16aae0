"""What a notebook's page shows: answers, tool calls, questions and listings, rendered and cleaned in the kernel."""
