"""Elements of a Matroska or WebM file (RFC 9559), to tell whether its pictures are encrypted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _TRACK_TYPE = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0x83
_ENCODINGS, _ENCODING, _ENCRYPTION = 0x6D80, 0x6240, 0x5035
_VIDEO = b"\1"
_MAX_ELEMENTS = 1000


class Element(NamedTuple):
    id: int
    begin: int
    end: int


def is_encrypted(fd: int) -> bool:
    """Whether a video track of the Matroska file in `fd` has its frames encrypted."""
    size = os.fstat(fd).st_size
    tracks = _within(fd, [Element(0, 0, size)], (_SEGMENT, _TRACKS, _TRACK))
    return any(_is_video(fd, track) and _within(fd, [track], (_ENCODINGS, _ENCODING, _ENCRYPTION)) for track in tracks)


def _is_video(fd: int, track: Element) -> bool:
    return any(os.pread(fd, 1, kind.begin) == _VIDEO for kind in _within(fd, [track], (_TRACK_TYPE,)))


def _within(fd: int, outer: list[Element], path: tuple[int, ...]) -> list[Element]:
    """The elements at the end of a path of ids below `outer`."""
    for wanted in path:
        found = [one for element in outer for one in _elements(fd, element.begin, element.end) if one.id == wanted]
        outer = found[:_MAX_ELEMENTS]
    return outer


def _elements(fd: int, at: int, end: int) -> Iterator[Element]:
    """The elements between `at` and `end`; pictures begin with the first cluster, and nothing is sought there."""
    stop = min(end, os.fstat(fd).st_size)
    for _ in range(_MAX_ELEMENTS):
        header = os.pread(fd, min(12, stop - at), at) if at < stop else b""
        kind, used = _number(header, keep_marker=True)
        length, more = _number(header[used:], keep_marker=False)
        if not used or not more or kind == _CLUSTER:
            return
        begin = at + used + more
        unknown = length == (1 << 7 * more) - 1
        at = end if unknown else begin + length
        yield Element(kind, begin, min(at, end))


def _number(data: bytes, keep_marker: bool) -> tuple[int, int]:
    """A number of EBML (RFC 8794, 4) at the beginning of `data` and the bytes it takes; 0 bytes where there is none."""
    width = 9 - data[0].bit_length() if data else 9
    if width > len(data) or width > 8:
        return 0, 0
    value = int.from_bytes(data[:width])
    return (value if keep_marker else value & ((1 << 7 * width) - 1)), width
