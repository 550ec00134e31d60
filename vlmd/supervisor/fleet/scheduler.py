"""Who gets what: pure assignment of windows to workers."""

from __future__ import annotations

from collections.abc import Sequence

from vlmd.store.windows import OpenJob

LEASES_AHEAD = 2
"""Leases a worker holds at once: one on the device, one being decoded, so that the device never waits for pictures."""


def choose_job(jobs: Sequence[OpenJob], model: str) -> OpenJob | None:
    """The first job in the queue's order that a worker with this model resident can serve."""
    return next((job for job in jobs if job.model == model), None)


def next_model(jobs: Sequence[OpenJob], resident: str) -> str | None:
    """The model a worker should load instead of the one it has: the oldest job's, once its own has nothing to do."""
    if not jobs or choose_job(jobs, resident) is not None:
        return None
    return jobs[0].model


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
