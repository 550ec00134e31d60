"""Windows are given out: to idle workers, as leases; where none serves a job, a device loads its model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config.settings import LimitSettings
from vlmd.core.errors import Code, Failure
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.store import Store, windows
from vlmd.store.windows import OpenJob
from vlmd.supervisor.fleet import scheduler
from vlmd.supervisor.fleet.choosing import Choice
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import SlotState

_SHARE_OF_PICTURES = 4
"""The pictures of one lease take at most this part of what a decoder may use."""

_HOLD_SECONDS = 5.0
"""A device keeps its model for so long where work for that is about to come: loading it twice takes longer."""

Coming = Callable[[str], Awaitable[bool]]
"""Whether work for a model is about to come."""


class Giver:
    """Gives out windows whenever somebody says that there may be some."""

    def __init__(
        self,
        limits: LimitSettings,
        store: Store,
        models: Mapping[str, ModelSpec],
        slots: Sequence[Slot],
        coming: Coming,
    ) -> None:
        self.limits = limits
        self._store = store
        self._models = models
        self._slots = slots
        self._coming = coming
        self._choice = Choice(models, slots)
        self._held: dict[str, float] = {}
        """Devices that keep their model for work that is about to come, and since when."""
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
                if slot.has_room(scheduler.LEASES_AHEAD):  # it may have been lent to the one before
                    await self._assign(slot)

    def _free(self) -> list[Slot]:
        """Workers that can take a lease, those with least to do first."""
        able = [slot for slot in self._slots if slot.has_room(scheduler.LEASES_AHEAD)]
        return sorted(able, key=lambda slot: len(slot.leases))

    async def _rouse(self) -> None:
        """Devices without a worker, for want of work or of memory for the model they have, get one for what waits."""
        for slot in self._slots:
            if slot.at_rest or (slot.state == SlotState.WAITING and slot.team.lent_to is None):
                jobs = self._choice.open_to(slot, await self._store.write(windows.open_jobs))
                if (wanted := self._choice.wanted(slot, jobs)) is not None:
                    self._change(slot, wanted)

    async def _assign(self, slot: Slot) -> None:
        """A lease for this worker; or, once it has nothing in hand, another model for its device."""
        jobs = self._choice.open_to(slot, await self._store.write(windows.open_jobs))
        wanted = self._choice.wanted(slot, jobs)
        job = scheduler.choose_job(jobs, slot.model.name)
        if wanted is not None:
            if job is not None or not await self._holds(slot):
                self._change(slot, wanted)
        elif job is not None:
            await self._lease(slot, job, jobs)

    async def _holds(self, slot: Slot) -> bool:
        """It waits a moment for work of the model it has, as after a job that others need."""
        if not slot.empty_handed or not await self._coming(slot.model.name):
            self._held.pop(slot.name, None)
            return False
        now = time.monotonic()
        if slot.name not in self._held:
            asyncio.get_running_loop().call_later(_HOLD_SECONDS, self.wake)
        if now - self._held.setdefault(slot.name, now) < _HOLD_SECONDS:
            return True
        del self._held[slot.name]
        return False

    def _change(self, slot: Slot, wanted: str) -> None:
        """Load another model, once every device that it takes has nothing in hand."""
        model = self._models[wanted]
        first, *others = self._choice.group(slot, model)
        if all(member.empty_handed for member in (first, *others)):
            first.load(model, others) if first.worker is None else first.swap(model, others)

    def begin(self, name: str) -> None:
        """At the start: devices that have to go together for the first model do."""
        model = self._models[name]
        for slot in self._slots:
            group = self._choice.group(slot, model)
            if len(group) > 1 and slot is group[0] and self._choice.can_have(slot, name):
                slot.load(model, group[1:])

    async def _lease(self, slot: Slot, job: OpenJob, jobs: Sequence[OpenJob]) -> None:
        serving = sum(1 for other in self._slots if other.ready and other.model.name == job.model)
        size = scheduler.lease_size(job, jobs, serving, slot.model.max_batch, self.limits.lease_windows)
        memory = self.limits.decoder_memory_bytes // _SHARE_OF_PICTURES
        lease = await self._store.write(windows.lease, job.id, slot.name, size, now_ms(), not slot.leases, memory)
        self._held.pop(slot.name, None)
        if lease is not None and not slot.give(self._run(lease), alone=lease.suspect):
            failure = Failure(Code.WORKER_LOST, "the worker went away before it began")
            await self._store.write(windows.release, [lease.id], [], failure, self.limits.window_failures, now_ms())
            self.wake()

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
            times_ms=lease.times_ms,
            limits=self.limits.for_decoder(),
        )
