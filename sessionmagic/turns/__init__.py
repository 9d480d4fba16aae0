"""One turn, from the request for it to its last event."""
