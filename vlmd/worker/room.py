"""How many windows a batch takes: what was planned for the memory that is free, corrected by what batches really took.

Only a GPU's memory is planned: on a CPU a batch is as large as the configuration allows.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch

from vlmd.core import plans
from vlmd.core.errors import WorkerError
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.plans import MOST_ROWS, Shape
from vlmd.core.recipe import Recipe
from vlmd.worker.questions import Question, Reply

logger = logging.getLogger("vlmd.worker")

_USED = 0.95
"""Of what is free: the rest is lost between blocks."""
_REMEMBERED = 8
"""Batches whose measurements count; the worst of them does."""
_MARGIN = 1.05
_BOUNDS = (0.25, 4.0)
"""Of a correction: beyond, something else was measured."""
_PATIENCE = 20
"""Batches that must fit before a limit that was too large is tried again, by one window more."""


class Memory(Protocol):
    """Of the device that a model lies on."""

    def free(self) -> int | None:
        """Bytes that a batch may take; None where that is no question."""

    def model(self) -> int | None:
        """Bytes of the model itself."""

    def begin(self) -> None:
        """A batch begins."""

    def used(self) -> int | None:
        """The most bytes that it has had so far, beside the model itself."""


class NoMemory:
    """A CPU's: the kernel gives it, and takes it."""

    def free(self) -> int | None:
        return None

    def model(self) -> int | None:
        return None

    def begin(self) -> None:
        """Nothing is counted."""

    def used(self) -> int | None:
        return None


class CudaMemory:
    """Of the GPUs that a model lies on; made when it has been loaded, and nothing else."""

    def __init__(self) -> None:
        self._model = _over_all(torch.cuda.memory_allocated)

    def free(self) -> int | None:
        kept = _over_all(torch.cuda.memory_reserved) - _over_all(torch.cuda.memory_allocated)
        return _over_all(lambda device: torch.cuda.mem_get_info(device)[0]) + kept

    def model(self) -> int | None:
        return self._model

    def begin(self) -> None:
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)

    def used(self) -> int | None:
        return _over_all(torch.cuda.max_memory_allocated) - self._model


def device_bytes() -> int:
    """Memory of the GPUs that this worker has, in all."""
    return _over_all(lambda device: torch.cuda.mem_get_info(device)[1])


def _over_all(measure: Callable[[int], int]) -> int:
    """This process sees the GPUs of its worker, and no others."""
    return sum(int(measure(device)) for device in range(torch.cuda.device_count()))


class Room:
    """Of one loaded model. Without figures nothing is planned, and running out of memory is all that teaches it."""

    def __init__(
        self, figures: Figures | None, size: Callable[[Recipe], FrameSize], precision: str, memory: Memory
    ) -> None:
        self._figures = figures
        self._size = size
        self._precision = precision
        self._memory = memory
        self._ratios: deque[float] = deque(maxlen=_REMEMBERED)
        self._limits: dict[tuple[int, Shape], _Limit] = {}

    @property
    def correction(self) -> float:
        """How many times what was planned batches take."""
        low, high = _BOUNDS
        return min(high, max(low, max(self._ratios) * _MARGIN)) if self._ratios else 1.0

    def most(self, recipe: Recipe) -> int:
        """How many windows of this recipe fit together; at least one, which is tried whatever was planned."""
        try:
            size, shape = self._size(recipe), plans.shape_of(recipe)
        except WorkerError:  # asking it will say why
            return 1
        limit = self._limits.get((size.tokens, shape))
        most = limit.most if limit else MOST_ROWS
        free = self._memory.free()
        if self._figures is not None and free is not None:
            most = plans.largest_batch(
                self._figures, self._precision, size, shape, int(free * _USED), loaded=True,
                correction=self.correction, most=most,
            )  # fmt: skip
        return max(1, most)

    def planned(self, recipe: Recipe, batch: int) -> int | None:
        """Bytes that such a batch was planned to take at the most."""
        if self._figures is None:
            return None
        size = self._size(recipe)
        return plans.plan(self._figures, self._precision, size, plans.shape_of(recipe), batch).batch

    @contextmanager
    def watching(self, questions: Sequence[Question]) -> Iterator[Watch]:
        """A batch is answered inside: what it takes is measured, and running out of memory is remembered."""
        recipe = questions[0].run.recipe
        watch = Watch(self._memory, self.planned(recipe, len(questions)))
        self._memory.begin()
        try:
            yield watch
        except Exception as error:
            if is_out_of_memory(error):
                self._ran_out(recipe, len(questions))
            raise
        self._answered(recipe, len(questions), watch)

    def _ran_out(self, recipe: Recipe, batch: int) -> None:
        size = self._size(recipe)
        self._limits[size.tokens, plans.shape_of(recipe)] = _Limit(max(1, batch // 2))
        free, planned = self._memory.free(), self.planned(recipe, batch)
        logger.warning("out of memory with %d windows, planned as %s bytes of %s", batch, planned, free)

    def _answered(self, recipe: Recipe, batch: int, watch: Watch) -> None:
        if limit := self._limits.get((self._size(recipe).tokens, plans.shape_of(recipe))):
            limit.answered(batch)
        used = self._memory.used()
        if self._figures is None or used is None or not watch.new_tokens:
            return
        shape = plans.shape_of(recipe)
        really = Shape(frames=shape.frames, words=shape.words, beams=shape.beams, new_tokens=watch.new_tokens)
        expected = plans.plan(self._figures, self._precision, self._size(recipe), really, batch).batch
        self._ratios.append(used / max(1, expected))


class Watch:
    """One batch while it is answered."""

    def __init__(self, memory: Memory, planned: int | None) -> None:
        self._memory = memory
        self.planned = planned
        self.new_tokens = 0
        """Of its longest answer so far."""

    def heard(self, reply: Reply) -> None:
        self.new_tokens = max(self.new_tokens, len(reply.tokens))

    @property
    def used(self) -> int | None:
        """Bytes so far: the most is taken when its prompts are read, before the first answer."""
        return self._memory.used()


class _Limit:
    """A batch of twice as many ran out of memory."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._fitted = 0

    def answered(self, batch: int) -> None:
        self._fitted += batch >= self.most
        if self._fitted == _PATIENCE:
            self.most, self._fitted = self.most + 1, 0


def is_out_of_memory(error: BaseException) -> bool:
    """Also true for what torch's CPU allocator raises, a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "not enough memory" in str(error)
