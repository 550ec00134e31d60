"""Where in an answer's text each of its tokens begins, in time that grows with the answer and not with its square."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[list[int]], str]

_CONTEXT = 12
"""Tokens decoded along with a block, so that what its first ones look like is what they look like in the whole."""
_BLOCK = 64
_LONGEST_BLOCK = 512
_HALF_CHARACTER = "\ufffd"


def text_and_offsets(decode: Decode, ids: Sequence[int]) -> tuple[str, list[int]]:
    """The text of `ids`, and for each of them how many characters the tokens before it make."""
    text = decode(list(ids))
    lengths = _lengths(decode, ids)
    if lengths[-1] != len(text):  # a tokenizer that looks further back
        lengths = [len(decode(list(ids[:count]))) for count in range(len(ids) + 1)]
    return text, lengths[:-1]


def _lengths(decode: Decode, ids: Sequence[int]) -> list[int]:
    """Characters of every beginning of `ids`: those of 0, 1, 2 … tokens."""
    lengths = [0]
    while (anchor := len(lengths) - 1) < len(ids):
        context = max(0, anchor - _CONTEXT)
        before = lengths[anchor] - len(decode(list(ids[context:anchor])))
        for count in range(anchor + 1, len(ids) + 1):
            part = decode(list(ids[context:count]))
            lengths.append(before + len(part))
            size = count - anchor
            if size >= _LONGEST_BLOCK or (size >= _BLOCK and not part.endswith(_HALF_CHARACTER)):
                break
    return lengths
