"""Greedy and drawn answers: every row grows by one token at a time, and is handed over when it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from vlmd.core.answers import Finish
from vlmd.core.loops import LoopWatch
from vlmd.worker.generation.replies import Replies
from vlmd.worker.generation.scores import Scores


class _Answer:
    """What one row has said so far."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.watch = LoopWatch()

    def add(self, token: int, logprob: float, ends: Collection[int]) -> Finish | None:
        """How the answer ends with this token; None where it goes on."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        looping = self.watch.add(token)
        if token in ends:
            return Finish.STOP
        if looping:
            return Finish.LOOP
        return Finish.LENGTH if len(self.tokens) >= self.limit else None


class Rows:
    """One token after another."""

    def __init__(
        self,
        scores: Scores,
        ends: Collection[int],
        limits: Sequence[int],
        is_late: Callable[[], bool],
        on_step: Callable[[int], None],
        replies: Replies,
    ) -> None:
        self._scores = scores
        self._ends = ends
        self._open = {row: _Answer(limit) for row, limit in enumerate(limits)}
        self._is_late = is_late
        self._on_step = on_step
        self._replies = replies

    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self._scores.shape(input_ids, scores)

    def ended(self, input_ids: torch.Tensor) -> list[bool]:
        """Hear of one more token in every row; hand over the rows that end with it. Says of each whether it has."""
        chosen, sick = input_ids[:, -1], self._scores.sick.tolist()
        every_row = torch.arange(len(chosen), device=chosen.device)
        tokens, logprobs = chosen.tolist(), self._scores.of(every_row, chosen)
        self._on_step(len(self._open))
        late = self._is_late()
        for row, answer in list(self._open.items()):
            if sick[row]:
                self._replies.give_up(row)
                del self._open[row]
            elif finish := answer.add(tokens[row], logprobs[row], self._ends) or (Finish.TIME if late else None):
                self._close(row, finish)
        return [row not in self._open for row in range(len(tokens))]

    def finish(self, output: Any) -> None:
        """Hand over whatever is still open, should `generate` have ended by itself."""
        for row in list(self._open):
            self._close(row, Finish.LENGTH)

    def _close(self, row: int, finish: Finish) -> None:
        answer = self._open.pop(row)
        self._replies.give(row, answer.tokens, answer.logprobs, finish)
