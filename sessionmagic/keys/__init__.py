"""Keys, passwords and tokens: how they are found in texts, and left out of what is stored, sent and shown."""
