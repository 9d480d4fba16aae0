"""One turn of an agent: what is asked, what is allowed, how it fails."""
