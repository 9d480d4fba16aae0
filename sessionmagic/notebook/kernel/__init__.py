"""The code and functions that a model runs in the user's kernel or in a scratch kernel, and their captured output."""
