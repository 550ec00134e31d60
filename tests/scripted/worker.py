"""A worker process with the scripted engine: `python -m tests.scripted.worker --link-fd N --parent PID`."""

import sys

from vlmd.lifeline import child

if __name__ == "__main__":
    link_fd = child("tests.scripted.worker")
    from tests.scripted.engine import load
    from vlmd.worker.process import main

    sys.exit(main(link_fd, load))
