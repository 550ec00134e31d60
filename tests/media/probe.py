"""Tries what a decoder must not do, and prints as JSON what succeeded. With "locked", from within the sandbox.

A program of its own: the sandbox cannot be left again.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from vlmd.core.messages.decoder import DecodeLimits
from vlmd.media import sandbox

LIBC = ctypes.CDLL(None, use_errno=True)
PARENT = os.getppid()


def checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)


def fork() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def read_parents_memory() -> None:
    with open(f"/proc/{PARENT}/maps") as maps:
        begin = int(maps.readline().split("-")[0], 16)
    with open(f"/proc/{PARENT}/mem", "rb", buffering=0) as memory:
        memory.seek(begin)
        memory.read(16)


def spawn() -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def start_thread() -> None:
    ran = []
    thread = threading.Thread(target=lambda: ran.append(True))
    thread.start()
    thread.join()
    assert ran


def share_memory() -> None:
    checked(LIBC.shmget(0, 4096, 0o1600))


def attempts(folder: str) -> dict[str, Callable[[], object]]:
    here = Path(folder)
    return {
        "read a file": lambda: (here / "file").read_bytes(),
        "list a folder": lambda: os.listdir(folder),
        "write a file": lambda: (here / "new").write_bytes(b""),
        "remove a file": lambda: (here / "victim").unlink(),
        "truncate a file": lambda: os.truncate(here / "file", 1),
        "change a mode": lambda: os.chmod(here / "file", 0o600),
        "change times": lambda: os.utime(here / "file"),
        "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 0)),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 0)),
        "unix socket": lambda: connect_unix(f"{folder}/socket"),
        "abstract unix socket": lambda: socket.socket(socket.AF_UNIX).bind("\0vlmd-probe"),
        "fork": fork,
        "spawn": spawn,
        "read the parent's memory": read_parents_memory,
        "signal the parent": lambda: os.kill(PARENT, 0),
        "signal the group": lambda: os.kill(0, 0),
        "limit the parent": lambda: resource.prlimit(PARENT, resource.RLIMIT_NOFILE),
        "slow the parent": lambda: os.setpriority(os.PRIO_PROCESS, PARENT, 0),
        "shared memory": share_memory,
        "start a thread": start_thread,
        "signal itself": lambda: os.kill(os.getpid(), 0),
        "anonymous memory": lambda: mmap.mmap(-1, 1 << 20).close(),
        "exec": lambda: os.execv("/bin/false", ["false"]),  # last: it does not come back
    }


def main() -> None:
    folder, how = sys.argv[1:]
    if how == "locked":
        sandbox.enter(DecodeLimits(cpu_seconds=10))
    tried = attempts(folder)
    if how != "locked":
        del tried["exec"]
    done = []
    for name, attempt in tried.items():
        try:
            attempt()
        except OSError:
            continue
        done.append(name)
    print(json.dumps(done))


if __name__ == "__main__":
    signal.alarm(20)
    main()
