"""What every way to search for answers has, and when an answer ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlmd.core.answers import Finish
from vlmd.worker.generation.replies import Replies
from vlmd.worker.generation.scores import Scores


@dataclass
class Search(ABC):
    """Hears what `generate` of transformers does in a batch, and has its say."""

    scores: Scores
    ends: Collection[int]
    """The tokens that end an answer."""
    limits: Sequence[int]
    """The most tokens of every row's answer."""
    is_late: Callable[[], bool]
    on_step: Callable[[int], None]
    replies: Replies

    @abstractmethod
    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores (rows, vocabulary) of the next token, given (rows, prompt and tokens so far)."""

    @abstractmethod
    def ended(self, input_ids: torch.Tensor) -> list[bool]:
        """Which rows end with the token that was just chosen, the last of `input_ids`."""

    @abstractmethod
    def finish(self, output: Any) -> None:
        """`generate` has returned `output`; hand over what is still to be."""

    def how(self, row: int, token: int, count: int, looping: bool) -> Finish | None:
        """How an answer ends with this token, its `count`-th; None where it may go on."""
        if token in self.ends:
            return Finish.STOP
        if looping:
            return Finish.LOOP
        return Finish.LENGTH if count >= self.limits[row] else None
