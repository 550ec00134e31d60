"""Boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2), to say why one cannot be looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_MAX_BOXES = 1000
_LARGEST_FILE = 1 << 62
"""Lengths of 64 bits may lead to where no file reaches, and pread cannot go."""
_TO_SAMPLE_ENTRIES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_STSD_HEADER = 8
"""Version, flags and the number of entries (8.5.2)."""
_ENCRYPTED_VIDEO = b"encv"
"""The sample entry of pictures under common encryption (ISO/IEC 23001-7)."""


class Box(NamedTuple):
    kind: bytes
    begin: int
    """Where its content begins."""
    end: int
    """May lie behind the end of the file."""


def is_cut_off(fd: int) -> bool:
    """Whether `fd` begins like an MP4 and ends before its index ("moov") is complete."""
    size = os.fstat(fd).st_size
    boxes = list(_boxes(fd, 0, size))
    if not boxes or boxes[0].kind != b"ftyp" or len(boxes) == _MAX_BOXES:
        return False
    # A still picture (HEIF, AVIF) has a "meta" box where a film has its "moov".
    return not any(box.kind in {b"moov", b"meta"} and box.end <= size for box in boxes)


def is_encrypted(fd: int) -> bool:
    """Whether a video track of the MP4 in `fd` says that its pictures are encrypted."""
    return any(entry.kind == _ENCRYPTED_VIDEO for entry in _sample_entries(fd))


def _sample_entries(fd: int) -> list[Box]:
    found = [Box(b"", 0, os.fstat(fd).st_size)]
    for kind in _TO_SAMPLE_ENTRIES:
        inner = [box for outer in found for box in _boxes(fd, outer.begin, outer.end) if box.kind == kind]
        found = inner[:_MAX_BOXES]
    return [entry for stsd in found for entry in _boxes(fd, stsd.begin + _STSD_HEADER, stsd.end)]


def _boxes(fd: int, at: int, end: int) -> Iterator[Box]:
    """The boxes between `at` and `end`."""
    for _ in range(_MAX_BOXES):
        if at >= min(end, _LARGEST_FILE):
            return
        header = os.pread(fd, min(16, end - at), at)
        if len(header) < 8:
            return
        length, begin = int.from_bytes(header[:4]), 8
        if length == 1:  # the size follows as 64 bits
            length, begin = int.from_bytes(header[8:16]), 16
        elif length == 0:  # up to the end of the file
            length = end - at
        if length < begin:
            return
        yield Box(header[4:8], at + begin, at + length)
        at += length
