"""From a reference to a model that can be asked."""
