"""A worker process with the scripted engine: `python -m tests.scripted.worker --link-fd N --parent PID`."""

import sys

from tests.scripted.engine import load
from vlmd.worker.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], load))
