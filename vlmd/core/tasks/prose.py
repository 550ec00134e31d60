"""Answers in free words: cleaned, bounded, with a confidence of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from vlmd.core.answers import Finish, Token
from vlmd.core.tasks.loops import is_degenerate
from vlmd.core.tasks.replies import ReplyProblem, answer_of
from vlmd.core.tasks.words import clean_text

MAX_TEXT = 8000
"""Characters kept of a text."""
_DIGITS = 4


class ProseProblem(StrEnum):
    """What reading an answer as text could not do cleanly; stored, stable."""

    EMPTY = "empty"  # nothing but blanks
    CAPPED = "capped-text"  # longer than MAX_TEXT
    CONTROL_CHARACTERS = "control-characters"  # replaced


class Prose:
    """One answer as text."""

    def __init__(self, text: str, tokens: Sequence[Token], finish: str) -> None:
        visible, problems = answer_of(text)
        self.problems: set[str] = set(map(str, problems))
        self.text = self._clean(visible)
        self.confidence = mean_probability(tokens)
        self.truncated = finish != Finish.STOP
        self.degenerate = finish == Finish.LOOP or is_degenerate(text)
        if not self.text:
            self.problems.add(ProseProblem.EMPTY)

    @property
    def readable(self) -> bool:
        """There is an answer at all."""
        return bool(self.text) and ReplyProblem.UNFINISHED_REASONING not in self.problems

    def _clean(self, text: str) -> str:
        lines = [clean_text(line) for line in text.splitlines()]
        if any(replaced for _, replaced in lines):
            self.problems.add(ProseProblem.CONTROL_CHARACTERS)
        whole = "\n".join(line for line, _ in lines).strip()
        if len(whole) > MAX_TEXT:
            self.problems.add(ProseProblem.CAPPED)
        return whole[:MAX_TEXT].rstrip()


def mean_probability(tokens: Sequence[Token]) -> float | None:
    """The geometric mean of the tokens' probabilities, from 0 to 1; None without tokens."""
    if not tokens:
        return None
    mean = math.fsum(token.logprob for token in tokens) / len(tokens)
    return None if math.isnan(mean) else round(math.exp(min(0.0, mean)), _DIGITS)
