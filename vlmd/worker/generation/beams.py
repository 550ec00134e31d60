"""Beam search: transformers searches, and every beginning it considers is written down here, with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from vlmd.core.answers import Finish
from vlmd.core.loops import LoopWatch
from vlmd.worker.generation.replies import Replies
from vlmd.worker.generation.scores import Scores


class _Node:
    """One token of a tree of beginnings. Beginnings that share tokens share their nodes."""

    def __init__(self, logprob: float, watch: LoopWatch, looping: bool = False) -> None:
        self.logprob = logprob
        self.watch: LoopWatch | None = watch
        """None once nothing grows from here any more."""
        self.looping = looping
        self.children: dict[int, _Node] = {}

    def grow(self, token: int, logprob: float) -> _Node:
        if token not in self.children:
            assert self.watch is not None
            watch = self.watch.copy()
            self.children[token] = _Node(logprob, watch, watch.add(token))
        return self.children[token]


class _Row:
    """The search for one answer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sick = False
        self.root = _Node(0.0, LoopWatch())
        self.growing: dict[tuple[int, ...], _Node] = {(): self.root}
        """The beginnings of the last step, by their tokens."""
        self.beams: dict[tuple[int, ...], int] = {}
        """Where among the batch's beams those stand that the search goes on with."""

    def move_on(self, grown: dict[tuple[int, ...], _Node]) -> None:
        for node in self.growing.values():
            node.watch = None
        self.growing = grown

    def path(self, tokens: Sequence[int]) -> list[_Node]:
        nodes = [self.root]
        for token in tokens:
            nodes.append(nodes[-1].children[token])
        return nodes[1:]


class Beams:
    """Several beginnings of every answer at once; the likeliest for its length wins, as in transformers."""

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
        self._rows = [_Row(limit) for limit in limits]
        self._is_late = is_late
        self._on_step = on_step
        self._replies = replies

    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Both (rows x beams, …), a row's beams side by side."""
        shaped = self._scores.shape(input_ids, scores)
        beginnings, sick = input_ids[:, self._scores.prompt :].tolist(), self._scores.sick.tolist()
        beams = len(beginnings) // len(self._rows)
        for at, row in enumerate(self._rows):
            own = range(at * beams, (at + 1) * beams)
            row.beams = {tuple(beginnings[beam]): beam for beam in own}
            row.sick |= any(sick[beam] for beam in own)
        return shaped

    def ended(self, input_ids: torch.Tensor) -> list[bool]:
        """Says of every candidate for the next step whether it has ended; a row's candidates lie side by side."""
        beginnings, chosen = input_ids[:, self._scores.prompt : -1].tolist(), input_ids[:, -1]
        candidates = len(beginnings) // len(self._rows)
        owners = [self._rows[at // candidates] for at in range(len(beginnings))]
        beams = [row.beams[tuple(begun)] for row, begun in zip(owners, beginnings, strict=True)]
        logprobs = self._scores.of(torch.tensor(beams, device=chosen.device), chosen)
        self._on_step(sum(not row.sick for row in self._rows))
        grown: list[dict[tuple[int, ...], _Node]] = [{} for _ in self._rows]
        late, ended = self._is_late(), []
        for at, (begun, token, logprob) in enumerate(zip(beginnings, chosen.tolist(), logprobs, strict=True)):
            row = owners[at]
            node = row.growing[tuple(begun)].grow(token, logprob)
            grown[at // candidates][(*begun, token)] = node
            ended.append(late or row.sick or self._how(row, token, len(begun) + 1, node) is not None)
        for row, own in zip(self._rows, grown, strict=True):
            row.move_on(own)
        return ended

    def finish(self, output: Any) -> None:
        """Hand over what won in every row."""
        lengths = (output.beam_indices >= 0).sum(dim=1).tolist()
        answers = output.sequences[:, self._scores.prompt :].tolist()
        for at, (row, ids, length) in enumerate(zip(self._rows, answers, lengths, strict=True)):
            if row.sick:
                self._replies.give_up(at)
                continue
            tokens = ids[:length]
            path = row.path(tokens)
            finish = self._how(row, tokens[-1], length, path[-1]) or Finish.TIME
            self._replies.give(at, tokens, [node.logprob for node in path], finish)

    def _how(self, row: _Row, token: int, count: int, node: _Node) -> Finish | None:
        """How a beginning ends with its last token; None where it could go on."""
        if token in self._ends:
            return Finish.STOP
        if node.looping:
            return Finish.LOOP
        return Finish.LENGTH if count >= row.limit else None
