"""To a merger, and what it says."""

from __future__ import annotations

from vlmd.core.calibration import Calibration
from vlmd.core.errors import Failure
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.messages.base import Message
from vlmd.core.tasks.registry import Task

# --- to and from a merger ----------------------------------------------------------------------------------


class MergeJob(Message, frozen=True):
    """Parse and merge a job's stored answers. With a `target` the result is written there, else sent back.

    `root` is the results folder, which is there already; `outputs` are formats that are written beside the result.
    """

    database: str
    job: int
    task: Task
    inputs: Inputs | None
    root: str
    target: str | None
    outputs: tuple[str, ...] = ()
    calibration: Calibration | None = None
    log_level: int = 20


class Prepared(Message, frozen=True):
    """The result is on disk beside its place: shall it be put there? The answer is Publish or Discard."""


class Publish(Message, frozen=True):
    pass


class Discard(Message, frozen=True):
    """The job was ended meanwhile."""


class Discarded(Message, frozen=True):
    pass


class Merged(Message, frozen=True):
    """`summary` is JSON: what lists show of a result; `outcome`, what other pipelines see of it. `body` is the result
    itself where none was written."""

    summary: str
    outcome: Outcome
    body: str = ""


class MergeFailed(Message, frozen=True):
    failure: Failure


ToMerger = MergeJob | Publish | Discard
FromMerger = Prepared | Discarded | Merged | MergeFailed
