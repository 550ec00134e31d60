"""Which windows are answered together."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vlmd.core.plans import MOST_ROWS
from vlmd.core.recipe import Recipe
from vlmd.worker.leases import LeaseDone, LeaseReader, Unanswerable
from vlmd.worker.questions import Question

LINGER_SECONDS = 0.25
"""How long a batch that is not full waits for windows that are still being decoded."""
_LOOKAHEAD = 2
"""Batches' worth of windows that a batch is chosen from."""


@dataclass
class Batch:
    """Questions to be generated for at once, and what else came along while they were gathered."""

    questions: list[Question] = field(default_factory=list)
    unanswerable: list[Unanswerable] = field(default_factory=list)
    done: list[LeaseDone] = field(default_factory=list)


class Batches:
    """Makes batches of what a reader gives.

    Windows of different leases and videos share a batch, if one recipe asks them: then their frames are of one size,
    and they are generated in one way. The oldest is always among them, and of the others those that are most like it
    in length, so that little is padded.
    """

    def __init__(
        self, reader: LeaseReader, size: int, fitting: Callable[[Recipe], int] = lambda recipe: MOST_ROWS
    ) -> None:
        """At most `size` windows, and no more than `fitting` says of a recipe's."""
        self._reader = reader
        self._size = size
        self._fitting = fitting
        self._waiting: list[Question] = []
        self._done: list[LeaseDone] = []

    def next(self) -> Batch | None:
        """The next batch; None once the reader has stopped. A cancelled lease's questions are dropped."""
        batch = Batch()
        deadline = time.monotonic() + LINGER_SECONDS if self._waiting else None
        while len(self._waiting) < _LOOKAHEAD * self._size:
            try:
                item = self._reader.get(self._patience(deadline))
            except queue.Empty:
                break
            if item is None:
                return None
            if isinstance(item, Question):
                self._waiting.append(item)
            elif isinstance(item, Unanswerable):
                batch.unanswerable.append(item)
            else:
                self._done.append(item)
            deadline = deadline or time.monotonic() + LINGER_SECONDS
        self._waiting = [one for one in self._waiting if not self._reader.is_cancelled(one.run.lease)]
        batch.questions = self._take()
        batch.done = self._take_done()
        return batch

    def _patience(self, deadline: float | None) -> float | None:
        """Seconds to wait for one more window: a full batch only takes what is there to choose from."""
        if self._waiting and len(self._alike()) >= self._room():
            return 0.0
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _alike(self) -> list[Question]:
        """The windows that may share a batch with the oldest one."""
        return [one for one in self._waiting if one.run.recipe == self._waiting[0].run.recipe]

    def _room(self) -> int:
        """How many windows the next batch takes: every beam takes the place of one."""
        recipe = self._waiting[0].run.recipe
        return max(1, min(self._size // recipe.generation.beams, self._fitting(recipe)))

    def _take(self) -> list[Question]:
        if not self._waiting:
            return []
        alike = self._alike()
        nearest = sorted(alike, key=lambda one: abs(one.length - alike[0].length))
        taken = nearest[: self._room()]
        self._waiting = [one for one in self._waiting if not any(one is other for other in taken)]
        return taken

    def _take_done(self) -> list[LeaseDone]:
        """Leases of which no window waits here any more."""
        waiting = {one.run.lease for one in self._waiting}
        done = [lease for lease in self._done if lease.lease not in waiting]
        self._done = [lease for lease in self._done if lease.lease in waiting]
        return done
