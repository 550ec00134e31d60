"""The states things are in, who moves them on, and what a crash leaves behind.

The database holds the same words in CHECK constraints and the same arrows in its `legal` table; a test compares.

A job that the supervisor's death interrupts stays where it is: `indexing` and `merging` are begun again,
leased windows go back to `queued`, everything else is already true on disk.
"""

from __future__ import annotations

from enum import StrEnum


class FileState(StrEnum):
    """A file seen in the inbox or submitted. While it still grows it is known to the inbox only."""

    REGISTERED = "registered"
    """It has a job."""
    REFUSED = "refused"
    """It cannot have one; the code says why."""
    SUPERSEDED = "superseded"
    """Its content changed, or another file took its path; a new row stands for what is there now."""


class JobState(StrEnum):
    INDEXING = "indexing"
    """Its video is read once by a decoder and cut into windows. Moved on by the supervisor's planner."""
    WAITING = "waiting"
    """Another job asks the same of the same video; its answers will be taken over when that job ends."""
    QUEUED = "queued"
    """Windows are waiting and none has been given out yet."""
    RUNNING = "running"
    """Windows are being answered. Moved on by the last answer, in the same transaction."""
    MERGING = "merging"
    """Every window is answered or failed; the merger writes the result."""
    DONE = "done"
    FAILED = "failed"
    """There is no result; the code says why."""
    CANCELLED = "cancelled"
    """Somebody said so, or the file changed while it ran."""
    QUARANTINED = "quarantined"
    """The video kills whatever touches it."""


class WindowState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    """A worker holds it; the lease's number fences answers of earlier ones."""
    ANSWERED = "answered"
    FAILED = "failed"


ACTIVE_JOBS = (JobState.INDEXING, JobState.WAITING, JobState.QUEUED, JobState.RUNNING, JobState.MERGING)
ENDED_JOBS = (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUARANTINED)

_RETRY = [(ended, JobState.INDEXING) for ended in ENDED_JOBS]
_CANCEL = [(active, JobState.CANCELLED) for active in ACTIVE_JOBS]
_FAIL = [(active, JobState.FAILED) for active in ACTIVE_JOBS]

JOB_ARROWS: frozenset[tuple[JobState, JobState]] = frozenset(
    [
        (JobState.INDEXING, JobState.WAITING),
        (JobState.INDEXING, JobState.QUEUED),
        (JobState.INDEXING, JobState.MERGING),
        (JobState.INDEXING, JobState.QUARANTINED),
        (JobState.WAITING, JobState.INDEXING),
        (JobState.QUEUED, JobState.RUNNING),
        (JobState.QUEUED, JobState.INDEXING),
        (JobState.RUNNING, JobState.MERGING),
        (JobState.RUNNING, JobState.INDEXING),
        (JobState.MERGING, JobState.DONE),
        (JobState.MERGING, JobState.INDEXING),
        (JobState.DONE, JobState.MERGING),
        (JobState.FAILED, JobState.MERGING),
        *_RETRY,
        *_CANCEL,
        *_FAIL,
    ]
)

WINDOW_ARROWS: frozenset[tuple[WindowState, WindowState]] = frozenset(
    [
        (WindowState.QUEUED, WindowState.LEASED),
        (WindowState.LEASED, WindowState.ANSWERED),
        (WindowState.LEASED, WindowState.QUEUED),
        (WindowState.LEASED, WindowState.FAILED),
    ]
)

FILE_ARROWS: frozenset[tuple[FileState, FileState]] = frozenset(
    [
        (FileState.REGISTERED, FileState.SUPERSEDED),
        (FileState.REFUSED, FileState.SUPERSEDED),
    ]
)
