"""Texts as words, ROUGE-L, and the exercise a text names."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_DASH = re.compile(r"\s+[-–—]\s+")
MAX_WORDS = 2000
"""Words that are compared of a text; the rest of an answer that never ends says nothing."""


def words(text: str) -> list[str]:
    """Words and punctuation marks, in lower case."""
    return _WORD.findall(text.casefold())[:MAX_WORDS]


def rouge_l(text: str, truth: str) -> float:
    """F1 of the longest common subsequence of words (Lin, ROUGE, 2004; beta 1, no stemming, no punctuation)."""
    one, another = ([word for word in words(side) if word[0].isalnum()] for side in (text, truth))
    common = longest_common(one, another)
    return 2 * common / (len(one) + len(another)) if common else 0.0


def longest_common(one: Sequence[str], another: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(another) + 1)
    for word in one:
        before = 0
        for at, other in enumerate(another, 1):
            before, row[at] = row[at], before + 1 if word == other else max(row[at], row[at - 1])
    return row[-1]


def exercise(text: str) -> str | None:
    """The name before the first " - "; None where there is none."""
    parts = _DASH.split(text.strip(), maxsplit=1)
    return parts[0].strip() or None if len(parts) == 2 else None


def same_exercise(one: str | None, another: str) -> bool:
    """Whether two names are one but for case, blanks, hyphens, underscores and punctuation."""
    return one is not None and _normal(one) == _normal(another)


def _normal(name: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))
