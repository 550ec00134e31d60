"""Models of real dimensions on a real GPU; `make test-gpu` runs them, everywhere else they are skipped."""
