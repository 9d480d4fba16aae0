"""The sessions of a store: looked at, changed, and the turns that run on them."""
