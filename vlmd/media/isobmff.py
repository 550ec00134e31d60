"""The outermost boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2), to say why one cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Iterator

_MAX_BOXES = 1000


def is_cut_off(fd: int) -> bool:
    """Whether `fd` begins like an MP4 and ends before its index ("moov") is complete."""
    size = os.fstat(fd).st_size
    boxes = list(_boxes(fd, size))
    if not boxes or boxes[0][0] != b"ftyp" or len(boxes) == _MAX_BOXES:
        return False
    # A still picture (HEIF, AVIF) has a "meta" box where a film has its "moov".
    return not any(kind in {b"moov", b"meta"} and end <= size for kind, end in boxes)


def _boxes(fd: int, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and end of each box; the last one may end behind the end of the file."""
    at = 0
    for _ in range(_MAX_BOXES):
        header = os.pread(fd, 16, at)
        if len(header) < 8:
            return
        length, begin = int.from_bytes(header[:4]), 8
        if length == 1:  # the size follows as 64 bits
            length, begin = int.from_bytes(header[8:16]), 16
        elif length == 0:  # up to the end of the file
            length = size - at
        if length < begin:
            return
        at += length
        yield header[4:8], at
