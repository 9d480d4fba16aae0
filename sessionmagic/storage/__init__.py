"""Sessions on disk, and who may run a turn on them."""
