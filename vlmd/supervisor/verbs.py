"""What the control API can do to a running parts."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import msgspec

from vlmd import __version__
from vlmd.clock import now_ms
from vlmd.core import names
from vlmd.core.errors import Code, Failure, UsageError
from vlmd.core.states import ENDED_JOBS
from vlmd.core.video import FileRef
from vlmd.media.opening import identify
from vlmd.store import files, jobs
from vlmd.supervisor.devices import readings
from vlmd.supervisor.parts import Parts
from vlmd.supervisor.slot import Slot


class Verbs:
    """Submit, retry, cancel, merge, and a look at what only the running daemon knows."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._settings = parts.settings
        self._started = now_ms()

    async def status(self) -> dict[str, Any]:
        parts = self._parts
        measured = await readings(parts.devices, parts.nvml)
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": (now_ms() - self._started) / 1000,
            "paths": {name: str(path) for name, path in self._settings.paths.model_dump().items()},
            "windows_per_second": round(parts.fleet.rate.per_second(time.monotonic()), 3),
            "devices": [_device(slot, msgspec.to_builtins(measured[slot.name])) for slot in parts.fleet.slots],
            "inbox": {
                "settling": parts.inbox.settling,
                "ignored": parts.inbox.ignored,
                "problem": parts.inbox.problem,
                "looks": parts.inbox.looks,
            },
            "sandbox_missing": parts.planner.sandbox_missing,
            "indexing": {str(job): count for job, count in parts.planner.bytes_read.items()},
        }

    async def submit(self, path: str, pipeline: str | None, first: bool) -> int:
        """Register a file where it lies; the same file in the same pipeline keeps an unfinished job it has."""
        pipeline = pipeline or self._settings.inbox.default_pipeline
        if pipeline is None or pipeline not in self._settings.pipelines:
            known = ", ".join(sorted(self._settings.pipelines))
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
        job, voided = await self._store.write(files.register, new, now_ms())
        if first:
            await self._store.write(jobs.hurry, job)
        await self._parts.voided(voided)
        self._parts.changed()
        return job

    async def retry(self, job: int, fresh: bool) -> None:
        if not await self._store.write(jobs.retry, job, fresh, now_ms()):
            raise UsageError(f"job {job} has not ended; `vlmd cancel {job}` first")
        self._parts.changed()

    async def cancel(self, job: int) -> None:
        failure = Failure(Code.CANCELLED, "cancelled by request")
        if not await self._store.write(jobs.fail, job, failure, now_ms(), "cancelled"):
            raise UsageError(f"job {job} has ended already ({', '.join(ENDED_JOBS)} jobs cannot be cancelled)")
        self._parts.fleet.cancel(job)
        self._parts.changed()

    async def merge(self, job: int) -> None:
        if not await self._store.write(jobs.remerge, job, now_ms()):
            raise UsageError(f"job {job} is not done; `vlmd show --so-far {job}` merges what is there")
        self._parts.changed()


def _device(slot: Slot, reading: dict[str, Any]) -> dict[str, Any]:
    looking_at = next(iter(slot.leases.values()), None)
    return {
        "name": slot.name,
        "label": slot.device.label,
        "state": slot.state,
        "reason": slot.reason,
        "stage": slot.stage,
        "pid": slot.pid,
        "model": slot.model.name,
        "precision": slot.ready.precision if slot.ready else None,
        "model_bytes": slot.ready.memory_bytes if slot.ready else None,
        "job": looking_at.job if looking_at else None,
        "windows_held": sum(len(run.windows) for run in slot.leases.values()),
        "answered": slot.answered,
        "tokens": slot.tokens,
        "deaths": slot.deaths,
        "reading": reading,
    }
