"""The formats that sessions are exported to and imported from, one module for each."""
