"""A job whose windows are all in gets its result, from a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from vlmd.clock import now_ms
from vlmd.config import Live, Settings
from vlmd.config.settings import PipelineSettings
from vlmd.core.errors import Code, Failure, MediaError
from vlmd.core.messages import FromMerger, Gone, Merged, MergeFailed, MergeJob
from vlmd.core.tasks.events import EventsTask
from vlmd.core.video import FileRef, seconds_to_ms
from vlmd.media.opening import identify
from vlmd.store import Store, jobs
from vlmd.supervisor.pool import Pool
from vlmd.supervisor.process import Child, python

logger = logging.getLogger("vlmd.merging")

_AT_ONCE = 2
_STARTS = 3
_LIMIT_SECONDS = 600.0
"""A merger that takes longer is killed: parsing is linear, so something is wrong with it."""


def events_task(pipeline: PipelineSettings) -> EventsTask:
    """How a pipeline's answers are read and merged."""
    return EventsTask(
        labels=list(pipeline.labels), teams=list(pipeline.teams), gap_ms=seconds_to_ms(pipeline.gap_seconds)
    )


async def run_merger(request: MergeJob) -> Merged | MergeFailed:
    """Merge in a process of its own; one that is killed is started again, a few times."""
    reason = ""
    for _ in range(_STARTS):
        outcome = await _one_merger(request)
        if not isinstance(outcome, Gone):
            return outcome
        reason = outcome.exit
        logger.warning("job %d: the merger is gone: %s", request.job, reason)
    return MergeFailed(failure=Failure(Code.MERGER_FAILED, f"the merger died {_STARTS} times: {reason}"))


async def _one_merger(request: MergeJob) -> Merged | MergeFailed | Gone:
    """One merger process from start to end; `Gone` where it ended without a word."""
    child: Child[FromMerger] = await Child.start(python("vlmd.merger"), FromMerger)
    outcome: Merged | MergeFailed | None = None
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            child.send(request)
            async for message in child.messages():
                if isinstance(message, Gone):
                    return outcome or message
                outcome = message
    except TimeoutError:
        return MergeFailed(failure=Failure(Code.MERGER_FAILED, f"it took longer than {_LIMIT_SECONDS:.0f} s"))
    finally:
        child.kill()
    raise AssertionError("the messages of a process end with Gone")


class Mergers:
    """Merges jobs, a few at a time, oldest first."""

    def __init__(self, live: Live, store: Store, changed: Callable[[], None]) -> None:
        self._live = live
        self._store = store
        self._changed = changed
        self._pool = Pool(_AT_ONCE, lambda: store.write(jobs.merging), self._merge)

    @property
    def _settings(self) -> Settings:
        """As they are now."""
        return self._live.now

    def wake(self) -> None:
        """There may be jobs to merge."""
        self._pool.wake()

    def request(self, job: int, pipeline: str, target: str | None) -> MergeJob:
        """What a merger is told; `target` is a result's path below the results folder, None to have it sent back."""
        paths = self._settings.paths
        return MergeJob(
            database=str(paths.database),
            job=job,
            task=events_task(self._settings.pipelines[pipeline]),
            target=None if target is None else str(paths.results / f"{target}.json"),
        )

    async def run(self) -> None:
        await self._pool.run()

    async def _merge(self, job: jobs.MergingJob) -> None:
        outcome = await self._outcome(job)
        if isinstance(outcome, Merged):
            if await self._store.write(jobs.merged, job.id, outcome.summary, now_ms()):
                logger.info("job %d: done, %d events", job.id, json.loads(outcome.summary)["events"])
        else:
            state = "cancelled" if outcome.failure.code == Code.FILE_CHANGED else "failed"
            await self._store.write(jobs.fail, job.id, outcome.failure, now_ms(), state)
            logger.error("job %d: %s: %s", job.id, outcome.failure.code, outcome.failure.reason)
        self._changed()

    async def _outcome(self, job: jobs.MergingJob) -> Merged | MergeFailed:
        if job.pipeline not in self._settings.pipelines:
            reason = f"pipeline {job.pipeline} is not configured any more"
            return MergeFailed(failure=Failure(Code.UNKNOWN_PIPELINE, reason))
        if job.check_file and (changed := await asyncio.to_thread(_changed, job.file)):
            return MergeFailed(failure=changed)
        return await run_merger(self.request(job.id, job.pipeline, job.result))


def _changed(file: FileRef) -> Failure | None:
    """Why the answers may be of another content than the file has now. A file that has gone was answered whole."""
    try:
        found = identify(file.root, file.path)
    except MediaError as error:
        return None if error.failure.code == Code.FILE_MISSING else error.failure
    if found == file.identity:
        return None
    return Failure(Code.FILE_CHANGED, "the file changed before its job was done")
