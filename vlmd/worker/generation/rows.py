"""Greedy and drawn answers: every row grows by one token at a time, and is handed over when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from vlmd.core.answers import Finish
from vlmd.core.loops import LoopWatch
from vlmd.worker.generation.search import Search


class _Answer:
    """What one row has said so far."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.watch = LoopWatch()


@dataclass
class Rows(Search):
    """One token after another."""

    def __post_init__(self) -> None:
        self._open = {row: _Answer() for row in range(len(self.limits))}

    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.scores.shape(input_ids, scores)

    def ended(self, input_ids: torch.Tensor) -> list[bool]:
        """Hear of one more token in every row, and hand over the rows that end with it."""
        chosen, sick = input_ids[:, -1], self.scores.sick.tolist()
        every_row = torch.arange(len(chosen), device=chosen.device)
        tokens, logprobs = chosen.tolist(), self.scores.of(every_row, chosen)
        self.on_step(len(self._open))
        late, complete = self.is_late(), self._complete(input_ids)
        for row in list(self._open):
            if sick[row]:
                del self._open[row]
                self.replies.give_up(row)
            elif finish := self._add(row, tokens[row], logprobs[row], row in complete) or (
                Finish.TIME if late else None
            ):
                self._close(row, finish)
        return [row not in self._open for row in range(len(tokens))]

    def finish(self, output: Any) -> None:
        """Hand over what is still open, should `generate` have ended by itself."""
        for row in list(self._open):
            self._close(row, Finish.LENGTH)

    def _complete(self, input_ids: torch.Tensor) -> set[int]:
        """Rows that nothing but their end may follow: the model need not be asked for that."""
        guide = self.scores.guide
        if guide is None:
            return set()
        answers = self.scores.beginnings(input_ids)
        guide.follow(answers)
        return {row for row in self._open if guide.is_complete(answers[row])}

    def _add(self, row: int, token: int, logprob: float, complete: bool) -> Finish | None:
        answer = self._open[row]
        answer.tokens.append(token)
        answer.logprobs.append(logprob)
        finish = self.how(row, token, len(answer.tokens), answer.watch.add(token))
        return Finish.STOP if complete else finish

    def _close(self, row: int, finish: Finish) -> None:
        answer = self._open.pop(row)
        self.replies.give(row, answer.tokens, answer.logprobs, finish, self.scores.option_logprobs[row])
