"""A worker process: `python -m vlmd.worker --link-fd N --parent PID`."""

import sys

from vlmd.lifeline import child

if __name__ == "__main__":
    link_fd = child("vlmd.worker")
    from vlmd.worker.process import main

    sys.exit(main(link_fd))
