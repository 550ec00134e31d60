"""What every task has: words for its prompt, what an answer may look like, and how an answer is read.

To add a task: a module here with a `Task` of a tag of its own and its `Reading`; a line in `registry`; a body for its
results in `outputs/bodies`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vlmd.core.answers import OptionLogprobs, Token

Said = Literal["events", "none", "answered", "unparseable"]
"""`events` and `none` of the events task, `answered` of every other one."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one window's answer says. `problems` holds stable words, sorted."""

    outcome: Said
    repaired: bool = False
    """Something in it was guessed or completed."""
    degenerate: bool = False
    """It is stuck in a loop."""
    truncated: bool = False
    """It was cut off by a limit or as it looped."""
    problems: list[str] = []


class BaseTask(msgspec.Struct, frozen=True, kw_only=True, tag_field="task"):
    """What is asked of every window. Pure: everything follows from the task's own fields."""

    def variables(self) -> dict[str, str]:
        """What the task fills into its prompt template."""
        return {}

    def options(self) -> tuple[str, ...]:
        """What the model chooses between at the first token of its answer; nothing in most tasks."""
        return ()

    def grammar(self, max_new_tokens: int) -> str:
        """What an answer may look like, as a Lark grammar of llguidance, bounded to fit so many tokens."""
        raise NotImplementedError

    def read(self, text: str, tokens: list[Token], finish: str, option_logprobs: OptionLogprobs) -> Reading:
        """What an answer says; `tokens` and `option_logprobs` may be empty, `finish` is a `Finish`. Never raises."""
        raise NotImplementedError
