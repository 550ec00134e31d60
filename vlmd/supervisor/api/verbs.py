"""What the control API can do to the queue of a running daemon. Who asks is refused rather than kept waiting."""

from __future__ import annotations

import asyncio
import os

import msgspec

from vlmd.clock import now_ms
from vlmd.core import names
from vlmd.core.errors import Code, Failure, UsageError
from vlmd.core.inputs import Inputs
from vlmd.core.states import ENDED_JOBS
from vlmd.core.video import FileRef
from vlmd.inbox import questions
from vlmd.media.opening import identify
from vlmd.store import collections, files, jobs
from vlmd.supervisor.parts import Parts

_AT_ONCE = 200
"""Samples that are registered in one transaction."""


class Verbs:
    """Submit, retry, cancel, merge."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    async def submit(self, path: str, pipeline: str | None, first: bool, inputs: Inputs | None = None) -> int:
        """Register a file where it lies; the same file, pipeline and inputs keep an unfinished job they have."""
        name, file = await self._file(path, pipeline)
        base = f"{name}/{names.result_base(os.path.basename(file.path))}"
        if problem := questions.lacking(inputs or Inputs(), self._parts.settings.pipelines[name]):
            raise UsageError(f"pipeline {name} asks of each video what it brings, and {problem}; say it with the video")
        new = files.NewJob(
            file=file, origin="submit", pipeline=name, name=names.shown(file.path), base=base, inputs=inputs
        )
        job, voided = await self._store.write_now(files.register, new, now_ms())
        if first:
            await self._store.write_now(jobs.hurry, job)
        await self._parts.voided(voided)
        self._parts.changed()
        return job

    async def submit_manifest(self, path: str, pipeline: str | None, limit: int | None) -> tuple[list[int], str | None]:
        """Register the samples of a manifest, the first `limit` of them. Returns their jobs, and what was wrong."""
        name, file = await self._file(path, pipeline)
        settings = self._parts.settings
        folder = os.fsencode(settings.paths.inbox / name)
        asked = await asyncio.to_thread(questions.ask, file, name, settings.pipelines[name], folder, "submit", limit)
        if asked.collected:
            other = await self._store.write_now(collections.other, file.path, asked.collected.base)
            if other is not None:
                raise UsageError(questions.clash(asked.collected.base, other).reason)
        taken: dict[int, int] = {}
        for start in range(0, len(asked.jobs), _AT_ONCE):
            part = asked.jobs[start : start + _AT_ONCE]
            outcomes = await self._store.write_now(files.take, part, now_ms())
            numbered = zip(part, outcomes, strict=True)
            taken |= {new.sample: one.job for new, one in numbered if new.sample is not None and one.job is not None}
            await self._parts.voided([job for one in outcomes for job in one.voided])
        if asked.collected:
            collected = msgspec.structs.replace(asked.collected, jobs=taken)
            await self._store.write_now(files.take, [collected], now_ms())
        self._parts.changed()
        return list(taken.values()), None if asked.failure is None else asked.failure.reason

    async def _file(self, path: str, pipeline: str | None) -> tuple[str, FileRef]:
        """The pipeline that counts, and the file. Raises `UsageError`, `MediaError`."""
        pipeline = pipeline or self._parts.settings.inbox.default_pipeline
        if pipeline is None or pipeline not in self._parts.settings.pipelines:
            known = ", ".join(sorted(self._parts.settings.pipelines))
            raise UsageError(f"there is no pipeline {pipeline!r}; there is {known}")
        raw = os.fsencode(path)
        if not os.path.isabs(raw):
            raise UsageError(f"the daemon needs an absolute path, not {path!r}")
        root = os.path.dirname(raw)
        return pipeline, FileRef(root, raw, await asyncio.to_thread(identify, root, raw))

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
            raise UsageError(
                f"job {job} is not done, or its answers have been forgotten; `vlmd show --so-far {job}` merges what is"
                " there, `vlmd retry` asks what is missing"
            )
        self._parts.changed()
