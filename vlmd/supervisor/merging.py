"""A job whose windows are all in gets its result, from a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmd.clock import now_ms
from vlmd.config import Live, Settings
from vlmd.core.errors import Code, Failure, MediaError, Problem, UsageError
from vlmd.core.inputs import Inputs
from vlmd.core.messages.merger import Merged, MergeFailed, MergeJob
from vlmd.core.video import FileRef
from vlmd.log import about, level
from vlmd.media.opening import identify
from vlmd.outputs.mount import missing, mount_of
from vlmd.store import Store, jobs
from vlmd.supervisor.asking import task_of
from vlmd.supervisor.calibrations import calibration_of
from vlmd.supervisor.merger import Outcome, run_merger
from vlmd.supervisor.pool import Pool

logger = logging.getLogger("vlmd.merging")

_AT_ONCE = 2
_PASSING = (Code.RESULT_UNWRITABLE, Code.EXHAUSTED)
"""Not the job's fault, and over some day: the job waits for that."""
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until such a job is tried again; the last one again and again."""


@dataclass
class _Delay:
    """A job that waits to be tried again."""

    failure: Failure
    until: float
    failures: int


class Mergers:
    """Merges jobs, a few at a time, oldest first."""

    def __init__(self, live: Live, store: Store, changed: Callable[[], None]) -> None:
        self._live = live
        self._store = store
        self._changed = changed
        self._mount = mount_of(live.now.paths.results)
        self._delayed: dict[int, _Delay] = {}
        self._publishing: set[int] = set()
        self._turn = asyncio.Lock()
        """Held by the merger that publishes: files that several results share are written by one at a time."""
        self._pool = Pool(_AT_ONCE, self._due, self._merge)

    @property
    def _settings(self) -> Settings:
        """As they are now."""
        return self._live.now

    def wake(self) -> None:
        """There may be jobs to merge."""
        self._pool.wake()

    def publishes(self, job: int) -> bool:
        """Its result is being put in its place: too late to cancel it."""
        return job in self._publishing

    def problems(self) -> list[Problem]:
        """Why results wait."""
        if not self._delayed:
            return []
        job, delay = next(iter(self._delayed.items()))
        others = f" and {len(self._delayed) - 1} more" if len(self._delayed) > 1 else ""
        what = f"the result of job {job}{others} cannot be written"
        return [Problem(what, delay.failure.reason, delay.failure.remedy)]

    def request(self, job: int, pipeline: str, inputs: Inputs | None, target: str | None) -> MergeJob:
        """What a merger is told; `target` is a result's path below the results folder, None to have it sent back.

        Raises `UsageError` where the pipeline's calibration cannot be read.
        """
        paths = self._settings.paths
        return MergeJob(
            database=str(paths.database),
            job=job,
            task=task_of(self._settings.pipelines[pipeline], inputs),
            inputs=inputs,
            root=str(paths.results),
            target=None if target is None else str(paths.results / f"{target}.json"),
            outputs=self._settings.pipelines[pipeline].outputs,
            calibration=calibration_of(self._settings, pipeline),
            log_level=level(),
        )

    async def run(self) -> None:
        await self._pool.run()

    async def _due(self) -> Sequence[jobs.MergingJob]:
        """Jobs to merge now. Those that were ended while they waited are forgotten."""
        merging = await self._store.write(jobs.merging)
        ids, now = {job.id for job in merging}, time.monotonic()
        self._delayed = {job: delay for job, delay in self._delayed.items() if job in ids}
        return [job for job in merging if job.id not in self._delayed or self._delayed[job.id].until <= now]

    async def _merge(self, job: jobs.MergingJob) -> None:
        try:
            outcome = await self._outcome(job)
            if isinstance(outcome, MergeFailed) and outcome.failure.code in _PASSING:
                self._delay(job.id, outcome.failure)
            else:
                self._delayed.pop(job.id, None)
                await self._conclude(job, outcome)
        finally:
            if job.id in self._publishing:
                self._publishing.discard(job.id)
                self._turn.release()
        self._changed()

    def _delay(self, job: int, failure: Failure) -> None:
        before = self._delayed.get(job)
        failures = before.failures + 1 if before else 0
        if before is None or before.failure != failure:
            words = (failure.code, failure.reason, failure.remedy)
            logger.error("%s: %s (%s)", *words, extra=about(job=job))
        pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
        self._delayed[job] = _Delay(failure, time.monotonic() + pause, failures)
        asyncio.get_running_loop().call_later(pause, self.wake)

    async def _conclude(self, job: jobs.MergingJob, outcome: Outcome) -> None:
        match outcome:
            case Merged(summary=summary, outcome=told):
                if await self._store.write(jobs.merged, job.id, summary, told, now_ms()):
                    found = json.loads(summary)["found"]
                    logger.info("done, %s: %s.json", found, job.result, extra=about(job=job.id))
            case MergeFailed(failure=failure):
                state = "cancelled" if failure.code == Code.FILE_CHANGED else "failed"
                await self._store.write(jobs.fail, job.id, failure, now_ms(), state)
                logger.error("%s: %s: %s", state, failure.code, failure.reason, extra=about(job=job.id))
            case _:
                logger.info("ended before its result was there", extra=about(job=job.id))

    async def _outcome(self, job: jobs.MergingJob) -> Outcome:
        if job.pipeline not in self._settings.pipelines:
            reason = f"pipeline {job.pipeline} is not configured any more"
            return MergeFailed(failure=Failure(Code.UNKNOWN_PIPELINE, reason))
        try:  # before a reload can take the pipeline away
            request = self.request(job.id, job.pipeline, job.inputs, job.result)
        except UsageError as error:
            return MergeFailed(failure=Failure(Code.MERGER_FAILED, str(error)))
        if job.check_file and (changed := await asyncio.to_thread(_changed, job.file)):
            return MergeFailed(failure=changed)
        if away := await asyncio.to_thread(missing, self._settings.paths.results, self._mount):
            return MergeFailed(failure=Failure(Code.RESULT_UNWRITABLE, away))
        return await run_merger(request, lambda: self._wanted(job.id))

    async def _wanted(self, job: int) -> bool:
        """Whether the job may have its result. From now on it cannot be cancelled: who was first is decided here."""
        if job not in self._publishing:  # a merger that died is started again
            await self._turn.acquire()
            self._publishing.add(job)
        return await self._store.write(jobs.is_merging, job)


def _changed(file: FileRef) -> Failure | None:
    """Why the answers may be of another content than the file has now. A file that has gone was answered whole."""
    try:
        found = identify(file.root, file.path)
    except MediaError as error:
        return None if error.failure.code == Code.FILE_MISSING else error.failure
    if found == file.identity:
        return None
    return Failure(Code.FILE_CHANGED, "the file changed before its job was done")
