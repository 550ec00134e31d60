"""Windows are given out: to idle workers, as leases; where none serves a job, a device loads its model."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config.settings import LimitSettings
from vlmd.core.errors import Code, Failure
from vlmd.core.messages import ModelSpec, RunWindows
from vlmd.store import Store, windows
from vlmd.store.windows import OpenJob
from vlmd.supervisor.fleet import scheduler
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import SlotState

_SHARE_OF_PICTURES = 4
"""The pictures of one lease take at most this part of what a decoder may use."""


class Giver:
    """Gives out windows whenever somebody says that there may be some."""

    def __init__(
        self, limits: LimitSettings, store: Store, models: Mapping[str, ModelSpec], slots: Sequence[Slot]
    ) -> None:
        self.limits = limits
        self._store = store
        self._models = models
        self._slots = slots
        self._work = asyncio.Event()

    def wake(self) -> None:
        self._work.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            await self.give()

    async def give(self) -> None:
        """Everything that can be given out now."""
        await self._rouse()
        for _ in range(scheduler.LEASES_AHEAD):
            for slot in self._free():
                await self._assign(slot)

    def _free(self) -> list[Slot]:
        """Workers that can take a lease, those with least to do first."""
        able = [slot for slot in self._slots if slot.has_room(scheduler.LEASES_AHEAD)]
        return sorted(able, key=lambda slot: len(slot.leases))

    async def _rouse(self) -> None:
        """Devices without a worker, for want of work or of memory for the model they have, get one for what waits."""
        for slot in self._slots:
            if slot.unloaded or slot.state == SlotState.WAITING:
                jobs = self._loadable(slot, await self._store.write(windows.open_jobs))
                if slot.unloaded:
                    wanted = scheduler.model_to_load(jobs, self._elsewhere(slot), self._batches)
                else:
                    wanted = scheduler.next_model(jobs, slot.model.name, self._elsewhere(slot), self._batches)
                if wanted is not None:
                    slot.load(self._models[wanted])

    async def _assign(self, slot: Slot) -> None:
        """A lease for this worker; or, once it has nothing in hand, another model for its device."""
        jobs = self._loadable(slot, await self._store.write(windows.open_jobs))
        wanted = scheduler.next_model(jobs, slot.model.name, self._elsewhere(slot), self._batches)
        job = scheduler.choose_job(jobs, slot.model.name)
        if wanted is not None:
            if not slot.leases and slot.state == SlotState.IDLE:
                slot.swap(self._models[wanted])
        elif job is not None:
            await self._lease(slot, job, jobs)

    async def _lease(self, slot: Slot, job: OpenJob, jobs: Sequence[OpenJob]) -> None:
        serving = sum(1 for other in self._slots if other.ready and other.model.name == job.model)
        size = scheduler.lease_size(job, jobs, serving, slot.model.max_batch, self.limits.lease_windows)
        memory = self.limits.decoder_memory_bytes // _SHARE_OF_PICTURES
        lease = await self._store.write(windows.lease, job.id, slot.name, size, now_ms(), not slot.leases, memory)
        if lease is not None and not slot.give(self._run(lease), alone=lease.suspect):
            failure = Failure(Code.WORKER_LOST, "the worker went away before it began")
            await self._store.write(windows.release, [lease.id], [], failure, self.limits.window_failures, now_ms())
            self.wake()

    @property
    def _batches(self) -> dict[str, int]:
        return {name: model.max_batch for name, model in self._models.items()}

    def _loadable(self, slot: Slot, jobs: Sequence[OpenJob]) -> list[OpenJob]:
        """Those whose model is configured, and can be loaded on this device as far as is known."""
        return [job for job in jobs if job.model in self._models and job.model not in slot.refused]

    def _elsewhere(self, slot: Slot) -> Counter[str]:
        """How many other devices serve each model."""
        return Counter(other.serves for other in self._slots if other is not slot and other.serves is not None)

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
            limits=self.limits.for_decoder(),
        )
