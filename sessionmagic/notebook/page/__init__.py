"""The content of a notebook's page: answers, tool calls, questions and listings, rendered and cleaned in the kernel."""
