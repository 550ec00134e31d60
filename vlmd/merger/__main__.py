"""A merger process: `python -m vlmd.merger --link-fd N --parent PID`."""

import sys

from vlmd.lifeline import child

if __name__ == "__main__":
    link_fd = child("vlmd.merger")
    from vlmd.merger.merge import main

    sys.exit(main(link_fd))
