"""Shared memory for pictures: a sealed memory file of slots, height × width × 3 bytes of RGB each.

It can neither shrink nor grow, so that a decoder cannot make the process that reads it fault. It goes by its
descriptor alone and is gone with the last process that holds it.
"""

from __future__ import annotations

import fcntl
import mmap
import os

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def create_slots(count: int, width: int, height: int) -> int:
    """Descriptor of a new memory file with `count` slots; the caller closes it."""
    fd = os.memfd_create("vlmd-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, count * height * width * 3)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(fd)
        raise
    return fd


def map_slots(fd: int, count: int, width: int, height: int, writable: bool) -> Pixels:
    """The slots as (count, height, width, 3). The mapping lasts as long as the array or a part of it.

    Raises MemoryError where the address space does not suffice.
    """
    access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
    try:
        mapping = mmap.mmap(fd, count * height * width * 3, access=access)
    except OSError as error:
        raise MemoryError(f"no room for {count} pictures of {width}x{height}") from error
    return np.frombuffer(mapping, np.uint8).reshape(count, height, width, 3)
