"""Models of real dimensions with random weights, and what is measured of them; for a machine with a GPU."""
