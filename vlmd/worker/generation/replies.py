"""From the tokens of a row that has ended to its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vlmd.core.answers import Finish, OptionLogprobs, Token, bounded
from vlmd.worker.offsets import text_and_offsets
from vlmd.worker.questions import Reply

OnReply = Callable[[int, Reply], None]
"""(row, reply)"""


class Replies:
    """Hands replies over, row by row."""

    def __init__(self, tokenizer: Any, prompt_tokens: Sequence[int], on_reply: OnReply) -> None:
        self._tokenizer = tokenizer
        self._prompt_tokens = prompt_tokens
        self._on_reply = on_reply

    def give(
        self, row: int, ids: list[int], logprobs: Sequence[float], finish: Finish, options: OptionLogprobs
    ) -> None:
        text, offsets = text_and_offsets(self._decode, ids)
        tokens = [Token(offset, logprob) for offset, logprob in zip(offsets, logprobs, strict=True)]
        text, tokens, kept_finish = bounded(text, tokens, finish)
        self._on_reply(row, Reply(text, tokens, self._prompt_tokens[row], kept_finish, options))

    def give_up(self, row: int) -> None:
        """The model computed NaN or infinity for this row: whatever it said means nothing."""
        self._on_reply(row, Reply("", [], self._prompt_tokens[row], Finish.STOP, finite=False))

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text
