"""Which windows are answered together."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field

from vlmd.worker.leases import LeaseDone, LeaseReader, Unanswerable
from vlmd.worker.questions import Question

LINGER_SECONDS = 0.25
"""How long a batch that is not full waits for windows that are still being decoded."""


@dataclass
class Batch:
    """Questions to be generated for at once, and what else came along while they were gathered."""

    questions: list[Question] = field(default_factory=list)
    unanswerable: list[Unanswerable] = field(default_factory=list)
    done: list[LeaseDone] = field(default_factory=list)


def gather(reader: LeaseReader, size: int) -> Batch | None:
    """The next batch of up to `size` questions; None once the reader has stopped.

    Windows of different leases and videos share a batch. A cancelled lease's questions are dropped.
    """
    batch = Batch()
    deadline: float | None = None
    while len(batch.questions) < size:
        try:
            item = reader.get(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return batch
        if item is None:
            return None
        if isinstance(item, Question):
            if not reader.is_cancelled(item.run.lease):
                batch.questions.append(item)
        elif isinstance(item, Unanswerable):
            batch.unanswerable.append(item)
        else:
            batch.done.append(item)
        deadline = deadline or time.monotonic() + LINGER_SECONDS
    return batch
