"""How sure a model is of an event: by the probabilities of its answer's tokens, and by what it states."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from itertools import pairwise

from vlmd.core.answers import Token

_STRING = re.compile(r""" "(?:[^"\\]++|\\.)*+(?:"|\\?\Z) | '(?:[^'\\]++|\\.)*+(?:'|\\?\Z) """, re.DOTALL | re.VERBOSE)
_NUMBER = re.compile(r"([0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)\s*(%?)")
_DIGITS = 4
"""Decimals of a confidence: more would only show in which batch a window was answered, and decide between equals."""
_COLON = re.compile(r"\s*:\s*")


class AnswerTokens:
    """The tokens of one answer, which begins at `start` of its text, behind any reasoning."""

    def __init__(self, text: str, tokens: list[Token], start: int) -> None:
        self._tokens = sorted(tokens, key=lambda token: token.offset)
        self._begins = [token.offset for token in self._tokens]
        later = dict(pairwise(sorted({*self._begins, len(text)})))
        self._ends = [later.get(begin, begin) for begin in self._begins]
        self._first = bisect_right(self._ends, start + len(text[start:]) - len(text[start:].lstrip()))

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def confidence(self, begin: int, end: int) -> float | None:
        """How probable the label at text[begin:end] was, from 0 to 1.

        exp of the summed log-probabilities of the answer's first token that shows anything, which decides
        whether there is an answer at all, and of every token that holds a character of the label. A token
        reaches up to the next offset; tokens that share an offset (parts of one character) count together.
        """
        named = range(bisect_right(self._ends, begin), bisect_left(self._begins, end))
        if not named:
            return None
        total = math.fsum(self._tokens[at].logprob for at in {self._first, *named})
        return None if math.isnan(total) else round(math.exp(min(0.0, total)), _DIGITS)


def stated_share(value: object) -> float | None:
    """A confidence as models write it (0.9, "0.9", "95%") as a number from 0 to 1; None for anything else."""
    if isinstance(value, str):
        written = _NUMBER.fullmatch(value.strip())
        value = float(written[1]) / (100 if written[2] else 1) if written else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def value_span(text: str, start: int, end: int, key: str, value: str) -> tuple[int, int] | None:
    """Where `value` stands, without its quotes, as the next value of `key` in text[start:end]."""
    for name in _STRING.finditer(text, start, end):
        colon = _COLON.match(text, name.end(), end)
        if colon and _content(name[0]) == key:
            written = _STRING.match(text, colon.end(), end)
            if written and _content(written[0]) == value:
                return written.start() + 1, written.end() - 1
    return None


def _content(literal: str) -> str:
    """The text within a quoted string; escapes are understood in JSON's."""
    if "\\" in literal and literal[0] == '"':
        try:
            return str(json.loads(literal, strict=False))
        except ValueError:
            pass
    return literal[1:-1]
