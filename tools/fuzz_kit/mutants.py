"""Damaged videos, the same for the same seed, number and originals. Pure: bytes go in, bytes come out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Random = random.Random

_MOST_CHANGES = 4
"""In one mutant."""
_LONGEST_BLOCK = 4096
_HEAD = 4096
"""Half of all changes fall into so many bytes at either end: that is where headers and indexes lie."""
_SIZES = (0, 1, 7, 8, 9, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_BOX = re.compile(rb"moov|trak|mdia|minf|stbl|stsd|stts|stsz|stsc|stco|co64|ctts|elst|tkhd|mdhd|moof|traf|trun|tfhd")
_EBML = re.compile(rb"\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x16\x54\xae\x6b|\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b|\xa3|\xae")


@dataclass(frozen=True)
class Mutant:
    """One damaged video, and how it came about."""

    number: int
    original: str
    changes: list[str]
    data: bytes

    @property
    def name(self) -> str:
        """A file name that says it all."""
        stem, _, suffix = self.original.rpartition(".")
        return f"{self.number:05}-{'+'.join(self.changes)}-{stem}.{suffix}"


def mutant(seed: int, number: int, originals: Mapping[str, bytes]) -> Mutant:
    """Mutant `number` of a campaign."""
    dice = Random(f"{seed}/{number}")
    original = dice.choice(sorted(originals))
    data, changes = originals[original], []
    for _ in range(dice.randint(1, _MOST_CHANGES)):
        change = dice.choice(CHANGES)
        data = change(dice, data, list(originals.values()))
        changes.append(change.__name__)
    return Mutant(number, original, changes, data)


def flip(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A few bytes become others."""
    changed = bytearray(data)
    for _ in range(min(len(data), dice.choice([1, 4, 32, 256]))):
        changed[_place(dice, data)] = dice.randrange(256)
    return bytes(changed)


def zero(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A block becomes zeros, as on a disk that lost it."""
    begin, end = _block(dice, data)
    return data[:begin] + bytes(end - begin) + data[end:]


def double(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    begin, end = _block(dice, data)
    return data[:end] + data[begin:]


def delete(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    begin, end = _block(dice, data)
    return data[:begin] + data[end:]


def insert(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    begin, end = _block(dice, data)
    return data[:begin] + dice.randbytes(end - begin) + data[begin:]


def truncate(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def append(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data + dice.randbytes(dice.randint(1, _LONGEST_BLOCK))


def resize_box(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The length, or a number behind the name, of an MP4's box becomes an odd one; else bytes flip."""
    boxes = [found.start() for found in _BOX.finditer(data) if found.start() >= 4]
    if not boxes:
        return flip(dice, data, others)
    at = dice.choice(boxes) + dice.choice([-4, 4, 8, 12])
    return _put(data, at, dice.choice(_SIZES).to_bytes(4))


def resize_element(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The size of a Matroska element becomes an odd one, known or unknown; else bytes flip."""
    elements = [found.end() for found in _EBML.finditer(data)]
    if not elements or b"\x1a\x45\xdf\xa3" not in data[:64]:
        return flip(dice, data, others)
    size = dice.choice([b"\xff", b"\x80", b"\x81", b"\x01" + b"\xff" * 7, b"\x08\xff\xff\xff\xfe", dice.randbytes(4)])
    return _put(data, dice.choice(elements), size)


def splice(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The beginning of one video and the end of another."""
    other = dice.choice(others)
    return data[: _place(dice, data)] + other[_place(dice, other) :]


Change = Callable[[Random, bytes, Sequence[bytes]], bytes]
CHANGES: tuple[Change, ...] = (
    flip,
    zero,
    double,
    delete,
    insert,
    truncate,
    append,
    resize_box,
    resize_element,
    splice,
)


def _place(dice: Random, data: bytes) -> int:
    if not data:
        return 0
    if dice.random() < 0.5:
        return dice.randrange(len(data))
    at = dice.randrange(min(_HEAD, len(data)))
    return at if dice.random() < 0.5 else len(data) - 1 - at


def _block(dice: Random, data: bytes) -> tuple[int, int]:
    begin = _place(dice, data)
    return begin, min(len(data), begin + dice.randint(1, _LONGEST_BLOCK))


def _put(data: bytes, at: int, written: bytes) -> bytes:
    return data[:at] + written[: len(data) - at] + data[at + len(written) :]
