"""Find and build the model that a reference names."""
