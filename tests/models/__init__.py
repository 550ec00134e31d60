"""Models through the real engine: the shipped one, and tiny checkpoints of every family."""
