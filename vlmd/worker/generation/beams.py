"""Beam search: transformers searches, and every beginning it considers is written down here, with what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from vlmd.core.answers import Finish
from vlmd.core.loops import LoopWatch
from vlmd.worker.generation.search import Search

Beginning = tuple[int, ...]
"""The first tokens of an answer."""


@dataclass
class _Node:
    """One token of a tree of beginnings. Beginnings that share tokens share their nodes."""

    logprob: float
    watch: LoopWatch | None
    """None once nothing grows from here any more."""
    looping: bool = False
    children: dict[int, _Node] = field(default_factory=dict)

    def grow(self, token: int, logprob: float) -> _Node:
        if token not in self.children:
            assert self.watch is not None
            watch = self.watch.copy()
            self.children[token] = _Node(logprob, watch, watch.add(token))
        return self.children[token]


class _Tree:
    """The search for one answer."""

    def __init__(self) -> None:
        self.sick = False
        self._root = _Node(0.0, LoopWatch())
        self._grown: dict[Beginning, _Node] = {}
        self._growing: dict[Beginning, _Node] = {(): self._root}
        """The beginnings of the last step."""
        self.beams: dict[Beginning, int] = {}
        """Those the search goes on with, and where among the batch's beams they stand."""

    def grow(self, beginning: Beginning, token: int, logprob: float) -> _Node:
        node = self._growing[beginning].grow(token, logprob)
        self._grown[(*beginning, token)] = node
        return node

    def move_on(self) -> None:
        for node in self._growing.values():
            node.watch = None
        self._growing, self._grown = self._grown, {}

    def path(self, tokens: Sequence[int]) -> list[_Node]:
        nodes = [self._root]
        for token in tokens:
            nodes.append(nodes[-1].children[token])
        return nodes[1:]


@dataclass
class Beams(Search):
    """Several beginnings of every answer at once; the likeliest for its length wins, as in transformers.

    All rows are handed over at the end: a beam that is behind may still win, and transformers does not tell when none
    can any more. So a row fails, too, over NaN in beams that no longer matter.
    """

    def __post_init__(self) -> None:
        self._trees = [_Tree() for _ in self.limits]

    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Here a row is a beam; those of one answer stand side by side."""
        shaped = self.scores.shape(input_ids, scores)
        beginnings, sick = self._answers(input_ids), self.scores.sick.tolist()
        for tree in self._trees:
            tree.beams.clear()
        for at, row in enumerate(self._rows(len(beginnings))):
            self._trees[row].beams[beginnings[at]] = at
            self._trees[row].sick |= sick[at]
        return shaped

    def ended(self, input_ids: torch.Tensor) -> list[bool]:
        """Here a row is a candidate for the next step's beams; there are some more of these than beams."""
        beginnings, chosen = self._answers(input_ids[:, :-1]), input_ids[:, -1]
        rows = self._rows(len(beginnings))
        beams = [self._trees[row].beams[beginning] for row, beginning in zip(rows, beginnings, strict=True)]
        logprobs = self.scores.of(torch.tensor(beams, device=chosen.device), chosen)
        self.on_step(sum(not tree.sick for tree in self._trees))
        candidates = zip(rows, beginnings, chosen.tolist(), logprobs, strict=True)
        late, goes_on = self.is_late(), [self._grow(*candidate) for candidate in candidates]
        for tree in self._trees:
            tree.move_on()
        return [late or not on for on in goes_on]

    def _grow(self, row: int, beginning: Beginning, token: int, logprob: float) -> bool:
        """Write a candidate down; whether the search may go on with it."""
        tree = self._trees[row]
        node = tree.grow(beginning, token, logprob)
        return not tree.sick and self.how(row, token, len(beginning) + 1, node.looping) is None

    def finish(self, output: Any) -> None:
        """Hand over what won. A winner that has not ended by itself is one that time cut."""
        lengths = (output.beam_indices >= 0).sum(dim=1).tolist()
        for row, (tree, answer) in enumerate(zip(self._trees, self._answers(output.sequences), strict=True)):
            if tree.sick:
                self.replies.give_up(row)
                continue
            tokens = answer[: lengths[row]]
            path = tree.path(tokens)
            finish = self.how(row, tokens[-1], len(tokens), path[-1].looping) or Finish.TIME
            options = self.scores.option_logprobs[row * len(self.scores.option_logprobs) // len(self._trees)]
            self.replies.give(row, list(tokens), [node.logprob for node in path], finish, options)

    def _answers(self, input_ids: torch.Tensor) -> list[Beginning]:
        return [tuple(tokens) for tokens in input_ids[:, self.scores.prompt :].tolist()]

    def _rows(self, count: int) -> list[int]:
        """For which answer each of `count` beams or candidates is."""
        each = count // len(self._trees)
        return [at // each for at in range(count)]
