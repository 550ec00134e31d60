"""The text and caption tasks: whatever the model says of a window, in words."""

from __future__ import annotations

from vlmd.core.answers import OptionLogprobs, Token
from vlmd.core.tasks import grammars
from vlmd.core.tasks.base import BaseTask, Reading
from vlmd.core.tasks.prose import Prose

CHARACTERS_PER_TOKEN = 3
"""How much of a bounded text surely fits a token, in most languages and tokenizers."""


class TextReading(Reading, frozen=True, kw_only=True):
    text: str
    confidence: float | None
    """The geometric mean of its tokens' probabilities."""


class TextTask(BaseTask, frozen=True, kw_only=True, tag="text"):
    """A free answer."""

    def grammar(self, max_new_tokens: int) -> str:
        """Any text that fits."""
        return grammars.text(max_new_tokens * CHARACTERS_PER_TOKEN)

    def read(self, text: str, tokens: list[Token], finish: str, option_logprobs: OptionLogprobs) -> TextReading:
        """The text without reasoning, fences and control characters."""
        said = Prose(text, tokens, finish)
        return TextReading(
            outcome="answered" if said.readable else "unparseable",
            degenerate=said.degenerate,
            truncated=said.truncated,
            problems=sorted(said.problems),
            text=said.text,
            confidence=said.confidence,
        )


class CaptionTask(TextTask, frozen=True, kw_only=True, tag="caption"):
    """A description of what a window shows."""
