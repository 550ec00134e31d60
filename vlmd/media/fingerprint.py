"""sha256 of a file, made on the client's side: whoever reads hostile bytes has no say in what they are called.

It follows the decoder through the file, so that the page cache serves one of the two, and a file of many
gigabytes passes over the disk once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

_CHUNK = 1 << 20
_MAX_GAP = 64 << 20
"""Bytes a demuxer may skip without having gone elsewhere."""


class Fingerprint:
    """Hashes the file in `fd` piece by piece. hashlib releases the GIL while it computes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._hash = hashlib.sha256()
        self.done = 0

    def follow(self, until: int, go_on: Callable[[], bool]) -> None:
        """Hash up to the position `until`, or to the end of the file; stops early once `go_on` says no."""
        while self.done < until and go_on() and (data := os.pread(self._fd, min(_CHUNK, until - self.done), self.done)):
            self._hash.update(data)
            self.done += len(data)

    def digest(self) -> str:
        """In hex, over what was hashed so far."""
        return self._hash.hexdigest()


class ReadingHead:
    """How far a demuxer has read from the beginning; jumps to an index at the end and back do not count."""

    def __init__(self) -> None:
        self.at = 0

    def saw(self, position: int, size: int) -> None:
        if position <= self.at + _MAX_GAP:
            self.at = max(self.at, position + size)
