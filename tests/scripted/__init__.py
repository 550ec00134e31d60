"""A model for fault tests, and processes that run it; nothing in the product's configuration reaches it."""

import sys

WORKER = [sys.executable, "-m", "tests.scripted.worker"]
"""The command of a worker with the scripted model; the current folder must be the repository's."""
