"""The feedback task: "name - text", such as the name of an exercise and what to do better."""

from __future__ import annotations

import re

from vlmd.core.answers import OptionLogprobs, Token
from vlmd.core.tasks import grammars
from vlmd.core.tasks.base import BaseTask, Reading
from vlmd.core.tasks.prose import Prose
from vlmd.core.tasks.text import CHARACTERS_PER_TOKEN

MAX_NAME = 100
"""Characters of a name; what is longer before a dash is no name."""
NO_NAME = "no-name"
"""Problem: nothing stands before a dash."""

_SEPARATOR = re.compile(r"\s+[-–—]\s+|\s*:\s+")


class FeedbackReading(Reading, frozen=True, kw_only=True):
    name: str | None
    """What stands before the first dash; None where nothing does."""
    text: str
    """What stands behind it; the whole answer where there is no name."""
    confidence: float | None


class FeedbackTask(BaseTask, frozen=True, kw_only=True, tag="feedback"):
    def grammar(self, max_new_tokens: int) -> str:
        """A name, " - ", and one line of text."""
        return grammars.feedback(MAX_NAME, max_new_tokens * CHARACTERS_PER_TOKEN)

    def read(self, text: str, tokens: list[Token], finish: str, option_logprobs: OptionLogprobs) -> FeedbackReading:
        """An answer without a name is unparseable; its text is kept all the same."""
        said = Prose(text, tokens, finish)
        name, rest = split_name(said.text)
        problems = said.problems | (set() if name else {NO_NAME})
        return FeedbackReading(
            outcome="answered" if said.readable and name else "unparseable",
            degenerate=said.degenerate,
            truncated=said.truncated,
            problems=sorted(problems),
            name=name,
            text=rest,
            confidence=said.confidence,
        )


def split_name(text: str) -> tuple[str | None, str]:
    """("Squat", "keep your back straight") of "Squat - keep your back straight"; (None, text) without a name."""
    found = _SEPARATOR.search(text)
    name = text[: found.start()].strip(" \n*_#\"'`") if found else ""
    if found is None or not name or len(name) > MAX_NAME or "\n" in name:
        return None, text
    return name, text[found.end() :].strip()
