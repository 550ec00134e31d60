"""From a registered file to queued windows: a decoder indexes it, a pure function cuts it, one transaction keeps it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vlmd.clock import now_ms
from vlmd.config import Live, Settings
from vlmd.core.errors import Code, Failure, MediaError, Problem
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.video import FileRef, VideoIndex
from vlmd.core.windows import ScenesPlan, plan_windows
from vlmd.log import about
from vlmd.media.client import Decoder
from vlmd.store import Store, jobs
from vlmd.supervisor.composing import Composer
from vlmd.supervisor.pool import Pool
from vlmd.supervisor.scenes import Scenes

T = TypeVar("T")

logger = logging.getLogger("vlmd.planning")

_AT_ONCE = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Decoders that index at the same time."""
_CRASHES_ALLOWED = 3
"""A video that kills its decoder this often is quarantined."""
_CRASH = (Code.DECODER_CRASHED, Code.DECODER_LIMIT)
_INDEXES = 8
_SHORT = 200_000
"""Pictures of a video whose index is kept for a while."""
_PLANNED = ("waiting", "queued", "running")
_RETRY_SECONDS = 2.0
"""Pause before the next attempt where there was nothing left to start a decoder with."""


class Planner:
    """Indexes and plans jobs, a few at a time, first things first."""

    def __init__(
        self,
        live: Live,
        store: Store,
        models: Mapping[str, ModelSpec],
        absent: Collection[str],
        changed: Callable[[], None],
    ) -> None:
        """`absent`: models that are not here; jobs that ask them wait as they are."""
        self._live = live
        self._store = store
        self._absent = absent
        self._changed = changed
        self._pool = Pool(_AT_ONCE, lambda: store.write(jobs.indexing, self._waiting), self._plan)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="index")
        self._composer = Composer(live, store, models)
        self._scenes = Scenes(store)
        self._decoders: set[Decoder] = set()
        self._indexes: dict[FileRef, VideoIndex] = {}
        """The last files that were read, as they were."""
        self._crashes: dict[int, int] = {}
        """Decoders that died over a job, one after another."""
        self._stopping = False
        self._exhausted: Failure | None = None
        self.bytes_read: dict[int, int] = {}
        """Progress of the jobs being indexed."""
        self.scenes_sought: dict[int, float] = {}
        """Share of the video in which scenes were looked for, of the jobs that need them."""
        self.sandbox_missing: list[str] = []
        """What this kernel could not give to the last decoder's sandbox."""

    @property
    def _settings(self) -> Settings:
        """As they are now."""
        return self._live.now

    @property
    def _waiting(self) -> list[str]:
        """Pipelines whose model is not here."""
        return [name for name, pipeline in self._settings.pipelines.items() if pipeline.model in self._absent]

    def wake(self) -> None:
        """There may be jobs to index."""
        self._pool.wake()

    def problems(self) -> list[Problem]:
        """Why videos wait to be indexed."""
        failure = self._exhausted
        return [] if failure is None else [Problem("no video can be indexed", failure.reason, failure.remedy)]

    async def adopt(self) -> list[int]:
        """Jobs whose question changed with the configuration are planned again; valid answers stay.

        Returns the jobs that workers have to leave.
        """
        changed, waiting = [], self._waiting
        for job in await self._store.write(jobs.unfinished):
            if job.pipeline in waiting:
                continue
            pipeline = self._settings.pipelines.get(job.pipeline)
            if pipeline is None:
                reason = f"pipeline {job.pipeline} is not configured any more"
                await self._store.write(jobs.fail, job.id, Failure(Code.UNKNOWN_PIPELINE, reason), now_ms())
                changed.append(job.id)
            elif job.state in _PLANNED and await self._composer.asks_otherwise(job, pipeline):
                if job.recipe is not None:
                    logger.info("what is asked of it has changed; planned again", extra=about(job=job.id))
                await self._store.write(jobs.replan, job.id, now_ms())
                changed.append(job.id)
        return changed

    async def run(self) -> None:
        await self._pool.run()

    def stop(self) -> None:
        """End the decoders and begin no more; their jobs stay to be indexed, and no video is blamed."""
        self._stopping = True
        for decoder in list(self._decoders):
            decoder.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _plan(self, job: jobs.IndexingJob) -> None:
        if self._stopping:
            return
        try:
            await self._index_and_plan(job)
        except MediaError as error:
            await self._failed(job, error.failure)
        finally:
            self.bytes_read.pop(job.id, None)
            self.scenes_sought.pop(job.id, None)
            self._changed()

    async def _index_and_plan(self, job: jobs.IndexingJob) -> None:
        settings = self._settings
        asked = await self._composer.asked(job)
        if asked is None:
            return
        plan = asked.plan
        index = self._indexes.get(job.file)
        if index is None:
            index = await self._with_decoder(job, lambda decoder: self._index(job, decoder))
            self._remember(job.file, index)
        self._exhausted = None
        cuts = await self._cuts(job, index, plan.threshold) if isinstance(plan, ScenesPlan) else []
        windows = await asyncio.to_thread(plan_windows, index, plan, settings.limits.max_windows, cuts)
        self._crashes.pop(job.id, None)
        state = await self._store.write(jobs.plan, job.id, jobs.Plan(index, asked.recipe, windows, plan), now_ms())
        if state is not None:
            seconds = index.facts.duration_ms / 1000
            logger.debug("%.1f s, %d windows, %s", seconds, len(windows), state, extra=about(job=job.id))
        if not await self._composer.still_holds(job, asked):
            await self._store.write(jobs.replan, job.id, now_ms())
        if settings is not self._settings:  # a reload came by while the video was read
            await self.adopt()

    def _index(self, job: jobs.IndexingJob, decoder: Decoder) -> VideoIndex:
        index = decoder.index(lambda count: self.bytes_read.__setitem__(job.id, count))
        self.sandbox_missing = decoder.missing_sandbox
        return index

    def _remember(self, file: FileRef, index: VideoIndex) -> None:
        """For the next questions about the same file. Of what is long, reading it again is the least."""
        if len(index.pts) <= _SHORT:
            self._indexes[file] = index
            while len(self._indexes) > _INDEXES:
                del self._indexes[next(iter(self._indexes))]

    async def _cuts(self, job: jobs.IndexingJob, index: VideoIndex, threshold: float) -> list[int]:
        def looked_at(share: float) -> None:
            self.scenes_sought[job.id] = share

        return await self._scenes.cuts_ms(index, threshold, lambda use: self._with_decoder(job, use), looked_at)

    async def _with_decoder(self, job: jobs.IndexingJob, use: Callable[[Decoder], T]) -> T:
        """What `use` makes of a decoder of the job's video, in a thread that outlives it."""

        def run() -> T:
            with Decoder.start(job.file, self._settings.limits.for_decoder()) as decoder:
                self._decoders.add(decoder)
                try:
                    if self._stopping:
                        decoder.kill()
                    return use(decoder)
                finally:
                    self._decoders.discard(decoder)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _failed(self, job: jobs.IndexingJob, failure: Failure) -> None:
        if failure.code == Code.EXHAUSTED:
            if self._exhausted is None:
                logger.error("%s (%s)", failure.reason, failure.remedy, extra=about(job=job.id))
            self._exhausted = failure
            await asyncio.sleep(_RETRY_SECONDS)
            return
        state = "cancelled" if failure.code == Code.FILE_CHANGED else "failed"
        if failure.code in _CRASH:
            if self._stopping:
                return
            crashes = self._crashes.pop(job.id, 0) + 1
            if crashes < _CRASHES_ALLOWED:
                self._crashes[job.id] = crashes
                logger.warning("%s; tried again", failure.reason, extra=about(job=job.id))
                return
            state = "quarantined"
        if await self._store.write(jobs.fail, job.id, failure, now_ms(), state):
            words = (state, failure.code, failure.reason, job.name)
            logger.warning("%s: %s: %s: %s", *words, extra=about(job=job.id))
