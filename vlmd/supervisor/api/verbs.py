"""What the control API can do to the queue of a running daemon. Who asks is refused rather than kept waiting."""

from __future__ import annotations

import asyncio
import os

from vlmd.clock import now_ms
from vlmd.core import names
from vlmd.core.errors import Code, Failure, UsageError
from vlmd.core.states import ENDED_JOBS
from vlmd.core.video import FileRef
from vlmd.media.opening import identify
from vlmd.store import files, jobs
from vlmd.supervisor.parts import Parts


class Verbs:
    """Submit, retry, cancel, merge."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    async def submit(self, path: str, pipeline: str | None, first: bool) -> int:
        """Register a file where it lies; the same file in the same pipeline keeps an unfinished job it has."""
        pipeline = pipeline or self._parts.settings.inbox.default_pipeline
        if pipeline is None or pipeline not in self._parts.settings.pipelines:
            known = ", ".join(sorted(self._parts.settings.pipelines))
            raise UsageError(f"there is no pipeline {pipeline!r}; there is {known}")
        raw = os.fsencode(path)
        if not os.path.isabs(raw):
            raise UsageError(f"the daemon needs an absolute path, not {path!r}")
        root = os.path.dirname(raw)
        identity = await asyncio.to_thread(identify, root, raw)
        base = f"{pipeline}/{names.result_base(os.path.basename(raw))}"
        new = files.NewJob(
            file=FileRef(root, raw, identity), origin="submit", pipeline=pipeline, name=names.shown(raw), base=base
        )
        job, voided = await self._store.write_now(files.register, new, now_ms())
        if first:
            await self._store.write_now(jobs.hurry, job)
        await self._parts.voided(voided)
        self._parts.changed()
        return job

    async def retry(self, job: int, fresh: bool) -> None:
        if not await self._store.write_now(jobs.retry, job, fresh, now_ms()):
            raise UsageError(f"job {job} has not ended; `vlmd cancel {job}` first")
        self._parts.changed()

    async def cancel(self, job: int) -> None:
        if self._parts.mergers.publishes(job):
            raise UsageError(f"job {job} is getting its result this very moment; it cannot be cancelled any more")
        failure = Failure(Code.CANCELLED, "cancelled by request")
        if not await self._store.write_now(jobs.fail, job, failure, now_ms(), "cancelled"):
            raise UsageError(f"job {job} has ended already ({', '.join(ENDED_JOBS)} jobs cannot be cancelled)")
        self._parts.fleet.cancel(job)
        self._parts.changed()

    async def merge(self, job: int) -> None:
        if not await self._store.write_now(jobs.remerge, job, now_ms()):
            raise UsageError(f"job {job} is not done; `vlmd show --so-far {job}` merges what is there")
        self._parts.changed()
