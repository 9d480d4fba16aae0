"""What stands on the page: growing answers, calls, questions and listings, rendered and cleaned in the kernel."""
