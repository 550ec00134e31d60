"""All workers: gives them windows, takes their answers, gives back what a lost one held."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config import LimitSettings, Settings
from vlmd.core.errors import Code, Failure, VlmdError
from vlmd.core.messages import LeaseEnded, ModelSpec, Ready, RunWindows, WindowAnswered, WindowFailed
from vlmd.store import Store, jobs, windows
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet import scheduler
from vlmd.supervisor.fleet.checkpoints import Checkpoints
from vlmd.supervisor.fleet.rate import Rate
from vlmd.supervisor.fleet.restart import Restarts
from vlmd.supervisor.fleet.slot import Lost, Patience, Slot, SlotState, lost_failure

logger = logging.getLogger("vlmd.fleet")


_SHARE_OF_PICTURES = 4
"""The pictures of one lease take at most this part of what a decoder may use."""


class NoWorkers(VlmdError):
    """Every worker is parked: nothing will ever be answered."""


class Fleet:
    """One slot per device. `changed` is called whenever a job may have moved on."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        models: Mapping[str, ModelSpec],
        devices: Sequence[Device],
        command: Sequence[str],
        changed: Callable[[], None],
    ) -> None:
        limits = settings.limits
        self._limits = limits
        self._store = store
        self._models = models
        self._changed = changed
        self._work = asyncio.Event()
        self.rate = Rate()
        self.checkpoints = Checkpoints(store, self._committed, limits.window_failures)
        first = models[next(iter(settings.pipelines.values())).model]
        self.slots = [
            Slot(
                device=device,
                model=first,
                command=command,
                patience=Patience(limits.load_seconds, limits.progress_seconds),
                restarts=Restarts(limits.start_failures),
                hear=self._hear,
                lose=self._lose,
            )
            for device in devices
        ]

    def reload(self, limits: LimitSettings) -> None:
        """Other limits count from now on; how often a start may fail stays as it was."""
        self._limits = limits
        self.checkpoints.failure_limit = limits.window_failures
        for slot in self.slots:
            slot.patience = Patience(limits.load_seconds, limits.progress_seconds)

    async def run(self) -> None:
        """Until every worker is stopped. Raises `NoWorkers` when all are parked."""
        async with asyncio.TaskGroup() as tasks:
            lives = [tasks.create_task(slot.live()) for slot in self.slots]
            helpers = [tasks.create_task(self._give_out()), tasks.create_task(self._watch())]
            await asyncio.wait(lives)
            for helper in helpers:
                helper.cancel()
        parked = [slot for slot in self.slots if slot.state == SlotState.PARKED]
        if len(parked) == len(self.slots):
            raise NoWorkers("; ".join(f"{slot.name}: {slot.reason}" for slot in parked))

    def wake(self) -> None:
        """There may be windows to give out."""
        self._work.set()

    def stop(self) -> None:
        for slot in self.slots:
            slot.stop()

    def kill(self, reason: str) -> None:
        for slot in self.slots:
            slot.kill(reason)

    def cancel(self, job: int) -> None:
        """Workers leave a job that has ended."""
        for slot in self.slots:
            slot.cancel(job)

    async def _give_out(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            for _ in range(scheduler.LEASES_AHEAD):
                for slot in self._free():
                    await self._assign(slot)

    def _free(self) -> list[Slot]:
        """Workers that can take a lease, those with least to do first."""
        able = [s for s in self.slots if s.state in (SlotState.IDLE, SlotState.BUSY) and not s.stopping]
        return sorted((s for s in able if s.has_room(scheduler.LEASES_AHEAD)), key=lambda s: len(s.leases))

    async def _assign(self, slot: Slot) -> None:
        open_jobs = await self._store.write(windows.open_jobs)
        job = scheduler.choose_job(open_jobs, slot.model.name)
        if job is None:
            wanted = scheduler.next_model(open_jobs, slot.model.name)
            model = self._models.get(wanted or "")
            if model is not None and not slot.leases and slot.state == SlotState.IDLE:
                slot.swap(model)
            return
        serving = sum(1 for other in self.slots if other.ready and other.model.name == job.model)
        size = scheduler.lease_size(job, open_jobs, serving, slot.model.max_batch, self._limits.lease_windows)
        memory = self._limits.decoder_memory_bytes // _SHARE_OF_PICTURES
        lease = await self._store.write(windows.lease, job.id, slot.name, size, now_ms(), not slot.leases, memory)
        if lease is None:
            return
        if not slot.give(self._run(lease), alone=lease.suspect):
            await self._give_back([lease.id], [], Failure(Code.WORKER_LOST, "the worker went away before it began"))

    def _run(self, lease: windows.Lease) -> RunWindows:
        return RunWindows(
            lease=lease.id,
            job=lease.job,
            file=lease.file,
            width=lease.facts.width,
            height=lease.facts.height,
            rotation=lease.facts.rotation,
            windows=lease.windows,
            recipe=lease.recipe,
            limits=self._limits.for_decoder(),
        )

    async def _watch(self) -> None:
        """Look for workers without progress, often enough for the shortest limit."""
        while True:
            await asyncio.sleep(min(1.0, min(self._limits.load_seconds, self._limits.progress_seconds) / 4))
            for slot in self.slots:
                slot.check(time.monotonic())

    async def _hear(self, slot: Slot, message: WindowAnswered | WindowFailed | LeaseEnded | Ready) -> None:
        match message:
            case WindowAnswered():
                self.checkpoints.put(windows.Delivery(slot.name, message))
            case WindowFailed(lease=lease, window=window, failure=failure, retry=retry):
                logger.warning("lease %d window %d: %s: %s", lease, window, failure.code, failure.reason)
                limit = self._limits.window_failures
                await self._store.write(windows.fail, lease, window, failure, retry, limit, now_ms())
                self._changed()
            case LeaseEnded(lease=lease, void=void):
                await self._end(lease, void)
            case Ready():
                logger.info("%s: ready in %.1f s: %s", slot.name, message.load_ms / 1000, message.model)
        self.wake()

    async def _end(self, lease: int, void: Failure | None) -> None:
        """A lease is over: whatever it still holds was not tried and goes back."""
        await self.checkpoints.settled()
        job = await self._store.write(windows.job_of, lease)
        await self._give_back([lease], [], Failure(Code.WORKER_LOST, "not tried"))
        if void is not None and job is not None:
            state = "cancelled" if void.code == Code.FILE_CHANGED else "failed"
            if await self._store.write(jobs.fail, job, void, now_ms(), state):
                logger.warning("job %d: %s: %s", job, void.code, void.reason)
                self.cancel(job)
                self._changed()

    async def _lose(self, lost: Lost) -> None:
        """What the worker said before it went counts; the rest is given out again."""
        await self.checkpoints.settled()
        await self._give_back(lost.leases, lost.begun, lost_failure(lost))
        self._changed()

    async def _give_back(self, leases: list[int], begun: list[tuple[int, int]], failure: Failure) -> None:
        await self._store.write(windows.release, leases, begun, failure, self._limits.window_failures, now_ms())
        self.wake()

    def _committed(self, accepted: list[windows.Delivery]) -> None:
        if accepted:
            self.rate.count(len(accepted), time.monotonic())
            for slot in self.slots:
                if any(delivery.worker == slot.name for delivery in accepted):
                    slot.restarts.answered()
            self._changed()
