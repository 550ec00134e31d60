"""What every process of ours does first: tie its life to its parent's, before anything slow is imported.

Whoever tells all processes of a service to stop (a batch system, systemd) means the daemon: it lets its children
finish what they have in hand. So they leave SIGTERM and SIGINT to it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def child(program: str) -> int:
    """Read `--link-fd N --parent PID`, die with the parent from now on; returns the link's descriptor."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--link-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(options.parent)
    return int(options.link_fd)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; leave at once if it is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)


def become(command: list[str]) -> NoReturn:
    """Turn into somebody else's program, with the signals it expects: Python ignores some."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":  # python -m vlmd.lifeline PARENT COMMAND…: a command that dies with its parent
    die_with_parent(int(sys.argv[1]))
    become(sys.argv[2:])
