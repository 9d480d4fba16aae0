"""What a model does in the user's kernel, or in one of its own: code and functions run, their output kept."""
