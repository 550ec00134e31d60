"""sha256 of a file, made from the bytes FFmpeg reads anyway.

A demuxer reads almost in order. What it skips is read here; what it reads twice is hashed once. So a file of
many gigabytes passes over the disk once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

_CHUNK = 1 << 20
_MAX_GAP = 64 << 20
"""Bytes skipped by the demuxer that are read on the spot; after a longer jump it may come back for them."""


class Fingerprint:
    """Hashes the file in `fd` as it is read; `finish` reads what is left. `done` counts the bytes hashed."""

    def __init__(self, fd: int, on_progress: Callable[[], None]) -> None:
        self._fd = fd
        self._hash = hashlib.sha256()
        self._on_progress = on_progress
        self.done = 0

    def saw(self, position: int, data: bytes) -> None:
        """The demuxer has read `data` at `position`."""
        if self.done < position <= self.done + _MAX_GAP and data:
            self._catch_up(position)
        skip = self.done - position
        if 0 <= skip < len(data):
            self._hash.update(memoryview(data)[skip:])
            self.done += len(data) - skip
        self._on_progress()

    def finish(self) -> str:
        """The digest in hex, over the whole file."""
        self._catch_up(os.fstat(self._fd).st_size)
        return self._hash.hexdigest()

    def _catch_up(self, until: int) -> None:
        while self.done < until and (data := os.pread(self._fd, min(_CHUNK, until - self.done), self.done)):
            self._hash.update(data)
            self.done += len(data)
            self._on_progress()
