"""Sessions, turns and events as immutable values, and pure functions on them. No I/O."""
