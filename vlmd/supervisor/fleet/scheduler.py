"""Who gets what: pure assignment of windows to workers, and of models to devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmd.store.windows import OpenJob

LEASES_AHEAD = 2
"""Leases a worker holds at once: one on the device, one being decoded, so that the device never waits for pictures."""
NEARLY_AS_OLD_MS = 600_000
"""A job this much younger than the oldest one may go first where that saves loading another model."""
WORTH_A_CHANGE = 8
"""Batches that each worker with a model must have before it for a device with work of its own to load it too."""


def choose_job(jobs: Sequence[OpenJob], model: str) -> OpenJob | None:
    """The first job in the queue's order that a worker with this model resident can serve."""
    return next((job for job in jobs if job.model == model), None)


def next_model(
    jobs: Sequence[OpenJob], resident: str, elsewhere: Mapping[str, int], batches: Mapping[str, int]
) -> str | None:
    """The model a worker should load instead of the one it has; None if it should keep it.

    The oldest job first; but no change while the resident model has work that is nearly as old and as urgent, nor
    for a job that the workers `elsewhere` (model → how many) can answer in a batch (of `batches`) each, or in a few
    where this one has work of its own. A change is always towards an older job, which is then served to its end, so
    that none goes back and forth.
    """
    mine = choose_job(jobs, resident)
    each = 1 if mine is None else WORTH_A_CHANGE
    for job in jobs:
        if job.model == resident or (mine is not None and nearly_as_old(mine, job)):
            return None
        if not _enough(jobs, job.model, elsewhere, each * batches[job.model]):
            return job.model
    return None


def nearly_as_old(mine: OpenJob, first: OpenJob) -> bool:
    """`mine` may go before the older `first` where that saves loading another model."""
    return mine.priority >= first.priority and mine.created_at - first.created_at <= NEARLY_AS_OLD_MS


def _enough(jobs: Sequence[OpenJob], model: str, elsewhere: Mapping[str, int], each: int) -> bool:
    """There are workers with this model for everything it has to do, if each answers so many windows."""
    return elsewhere.get(model, 0) * each >= sum(job.pending for job in jobs if job.model == model)


def model_to_load(jobs: Sequence[OpenJob], elsewhere: Mapping[str, int], batches: Mapping[str, int]) -> str | None:
    """The model that a device without a worker should load: of the first job that has too few workers."""
    return next((job.model for job in jobs if not _enough(jobs, job.model, elsewhere, batches[job.model])), None)


def lease_size(job: OpenJob, jobs: Sequence[OpenJob], workers: int, batch: int, longest: int) -> int:
    """Windows to give out at once: long leases while there is much to do, shorter ones towards the end.

    Half of what is left is spread over the workers that can share it, so that they end together; never less
    than half a batch. A video that decodes only from its beginning is cut into as few pieces as there are workers.
    """
    workers = max(1, workers)
    if job.from_start:
        return -(-job.pending // workers)
    left = sum(other.pending for other in jobs if other.model == job.model)
    share = -(-left // (LEASES_AHEAD * workers))
    return max(1, min(longest, max(batch // 2, share)))
