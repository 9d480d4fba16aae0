"""Comparisons of models: one prompt in branches of a session, or many prompts in a grid, and what they show."""
