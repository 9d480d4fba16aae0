"""Stored sessions, and claims: the right to run turns on them."""
