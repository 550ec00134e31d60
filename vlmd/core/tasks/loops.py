"""Recognises an answer that is stuck in a loop."""

from __future__ import annotations

import re

_CHAR_LOOP = re.compile(r"(\S)\1{39}|(\S.{1,3}?)\2{19}|(\S.{4,31}?)\3{7}|\s{200}", re.DOTALL)
_LOOP_SAMPLE = 4_000
_LOOP_TIMES = 6


def is_degenerate(text: str) -> bool:
    """Whether the answer is stuck: a character, a few characters, words or lines over and over in a row.

    Only the first and the last 4,000 characters are looked at: a loop that matters reaches one of them.
    """
    parts = [text] if len(text) <= 2 * _LOOP_SAMPLE else [text[:_LOOP_SAMPLE], text[-_LOOP_SAMPLE:]]
    return any(_loops(part) for part in parts)


def _loops(text: str) -> bool:
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    return bool(_CHAR_LOOP.search(text)) or _repeats(text.split(), 24) or _repeats(lines, 12)


def _repeats(items: list[str], longest: int) -> bool:
    """Whether some block of up to `longest` items stands six times in a row."""
    for size in range(1, min(longest, len(items) // _LOOP_TIMES) + 1):
        alike = 0
        for item, earlier in zip(items[size:], items, strict=False):
            alike = alike + 1 if item == earlier else 0
            if alike == size * (_LOOP_TIMES - 1):
                return True
    return False
