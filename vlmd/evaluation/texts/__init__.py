"""Scores of texts beside the right ones, 0 to 1."""
