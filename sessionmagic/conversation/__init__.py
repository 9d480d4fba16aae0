"""What is said in a session: values, and pure functions from one to the next. No I/O."""
