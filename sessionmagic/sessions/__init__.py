"""The sessions of a store, and the turns that run on them."""
