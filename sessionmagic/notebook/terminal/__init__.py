"""Show a turn in a terminal, and ask its questions on stdin. Uses neither widgets nor HTML."""
