"""All workers: kept alive, paused and parked, heard; what a lost one held is given out again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config import Settings
from vlmd.core.errors import Code, Failure, UsageError, VlmdError
from vlmd.core.messages.worker import LeaseEnded, ModelSpec, Ready, WindowAnswered, WindowFailed
from vlmd.log import about
from vlmd.store import Store, jobs, needs, windows
from vlmd.store import devices as stored_devices
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.memory import memory_of
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.checkpoints import Checkpoints
from vlmd.supervisor.fleet.choosing import Choice, too_few
from vlmd.supervisor.fleet.giving import Giver
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.rate import Rate
from vlmd.supervisor.fleet.restart import Restarts
from vlmd.supervisor.fleet.slot import Needs, Slot
from vlmd.supervisor.fleet.states import Lost, SlotState
from vlmd.supervisor.fleet.worker import Told
from vlmd.supervisor.metrics import Metrics
from vlmd.supervisor.verified import Verified

logger = logging.getLogger("vlmd.fleet")

_WATCH_SECONDS = 1.0


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
        nvml: Nvml,
        command: Sequence[str],
        changed: Callable[[], None],
        metrics: Metrics,
        verified: Verified,
        needed: Needs,
    ) -> None:
        limits = settings.limits
        self._limits = limits
        self._store = store
        self._changed = changed
        self._hopeless: str | None = None
        self._metrics = metrics
        self._verified = verified
        self.rate = Rate()
        self.checkpoints = Checkpoints(store, self._committed, limits.window_failures)
        first = next(models[pipeline.model] for pipeline in settings.pipelines.values() if pipeline.model in models)
        self.slots = [
            Slot(
                device=device,
                model=first,
                models=models,
                command=command,
                patience=Patience(limits.load_seconds, limits.progress_seconds),
                restarts=Restarts(limits.start_failures),
                hear=self._hear,
                lose=self._lose,
                measure=lambda device: memory_of(device, nvml),
                rested=self._rested,
                idle_unload=settings.devices.idle_unload_seconds,
                untried=lambda model, device: verified.of(model, device) is None,
                needed=needed,
            )
            for device in devices
        ]
        self._models = models
        self._first = first.name
        self._choice = Choice(models, self.slots)
        self._pipelines = settings.pipelines
        self._giver = Giver(limits, store, models, self.slots, self._coming)
        self._refuse_too_large()

    def reload(self, settings: Settings) -> None:
        """Other limits and pipelines count from now on; how often a start may fail stays as it was."""
        limits, self._pipelines = settings.limits, settings.pipelines
        self._limits = self._giver.limits = limits
        self.checkpoints.failure_limit = limits.window_failures
        for slot in self.slots:
            slot.patience.limit(limits.load_seconds, limits.progress_seconds)
        self._refuse_too_large()

    async def _coming(self, model: str) -> bool:
        """Whether a job for this model is about to have windows."""
        asking = [name for name, pipeline in self._pipelines.items() if pipeline.model == model]
        return await self._store.write(needs.coming, asking)

    def _refuse_too_large(self) -> None:
        """Models that take more devices than there are: for them nothing needs to be tried."""
        for slot in self.slots:
            slot.refused.update(too_few(self._models, self.slots))

    async def run(self) -> None:
        """Until every worker is stopped. Raises `NoWorkers` when all are parked."""
        paused = await self._store.write(stored_devices.paused)
        for slot in self.slots:
            slot.paused = slot.device.key in paused
        self._giver.begin(self._first)
        async with asyncio.TaskGroup() as tasks:
            lives = [tasks.create_task(slot.live()) for slot in self.slots]
            helpers = [tasks.create_task(self._giver.run()), tasks.create_task(self._watch(lives))]
            await asyncio.wait(lives)
            for helper in helpers:
                helper.cancel()
        if self._hopeless is not None:
            raise NoWorkers(self._hopeless)

    def wake(self) -> None:
        """There may be windows to give out."""
        self._giver.wake()

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

    # --- devices that rest ----------------------------------------------------------------------------------

    async def pause(self, names: Sequence[str] | None, drain: bool) -> list[Slot]:
        """These devices (None: all) get no further windows and are released; over a restart, too."""
        slots = self._named(names)
        await self._store.write_now(stored_devices.pause, [slot.device.key for slot in slots], now_ms())
        for slot in slots:
            slot.pause(drain)
        return slots

    async def resume(self, names: Sequence[str] | None) -> list[Slot]:
        """These devices (None: all) work again, whatever kept them from it."""
        slots = self._named(names)
        await self._store.write_now(stored_devices.resume, [slot.device.key for slot in slots])
        for slot in slots:
            slot.resume()
        self._refuse_too_large()
        self.wake()
        return slots

    async def park(self, name: str, reason: str) -> None:
        """This device is sick; the others go on."""
        for slot in self._named([name]):
            await slot.park(reason)

    def _named(self, names: Sequence[str] | None) -> list[Slot]:
        if names is None:
            return self.slots
        known = {key: slot for slot in self.slots for key in (slot.device.key, slot.name)}
        if unknown := [name for name in names if name not in known]:
            there = ", ".join(slot.name for slot in self.slots)
            raise UsageError(f"there is no device {', '.join(unknown)}; there is {there}")
        return list(dict.fromkeys(known[name] for name in names))

    def unloadable(self) -> dict[str, Failure]:
        """Models that some device could not load and none has loaded, with the reason."""
        loaded = {slot.model.name for slot in self.slots if slot.ready}
        refused = {name: failure for slot in self.slots for name, failure in slot.refused.items()}
        return {name: failure for name, failure in refused.items() if name not in loaded}

    def why_nothing_moves(self, open_models: Iterable[str]) -> str | None:
        """Why jobs for these models wait for a person; None if anybody serves, or will serve, one of them."""
        resting = [slot for slot in self.slots if slot.state in (SlotState.PAUSED, SlotState.PARKED)]
        awake = [slot for slot in self.slots if slot not in resting]
        if not awake:
            return "; ".join(f"{slot.name} is {slot.state}: {slot.reason}" for slot in resting)
        known = [name for name in open_models if name in self._models]
        if any(slot.leases for slot in awake) or any(
            self._choice.can_have(slot, name) for slot in awake for name in known
        ):
            return None
        return "; ".join(self._why_not(name, awake) for name in known) or None

    def _why_not(self, name: str, awake: Sequence[Slot]) -> str:
        refused = [slot.refused[name] for slot in awake if name in slot.refused]
        if refused:
            return f"{name} cannot be loaded: {refused[0].reason} ({refused[0].remedy})"
        resting = ", ".join(f"{slot.name} is {slot.state}" for slot in self.slots if slot not in awake)
        return f"{name} takes {self._models[name].devices} devices side by side, and {resting or 'some cannot work'}"

    def _rested(self) -> None:
        """A device has no worker now. With every one parked there is nothing left to live for."""
        self.wake()
        if all(slot.state == SlotState.PARKED and not slot.stuck for slot in self.slots):
            self._hopeless = "; ".join(f"{slot.name}: {slot.reason}" for slot in self.slots)
            self.stop()

    async def _watch(self, lives: Sequence[asyncio.Task[None]]) -> None:
        """Look for workers without progress, often enough for the shortest limit."""
        while True:
            await asyncio.sleep(min(_WATCH_SECONDS, min(self._limits.load_seconds, self._limits.progress_seconds) / 4))
            for slot, life in zip(self.slots, lives, strict=True):
                await slot.check(time.monotonic())
                if slot.stopping and slot.stuck:
                    life.cancel()

    # --- what workers say -----------------------------------------------------------------------------------

    async def _hear(self, slot: Slot, message: Told) -> None:
        match message:
            case WindowAnswered():
                self.checkpoints.put(windows.Delivery(slot.name, message))
            case WindowFailed(lease=lease, window=window, failure=failure, retry=retry):
                ids = about(slot.job_of(lease), window, lease, slot.name)
                logger.warning("%s: %s", failure.code, failure.reason, extra=ids)
                limit = self._limits.window_failures
                await self._store.write(windows.fail, lease, window, failure, retry, limit, now_ms())
                self._changed()
            case LeaseEnded(lease=lease, void=void):
                await self._end(lease, void)
            case Ready():
                self._metrics.loaded(slot.name)
                seconds = message.load_ms / 1000
                logger.info("ready in %.1f s: %s", seconds, message.model, extra=about(device=slot.name))
                self._verified.record(slot.model, slot.device, message)
        self.wake()

    async def _end(self, lease: int, void: Failure | None) -> None:
        """A lease is over: whatever it still holds was not tried and goes back."""
        await self.checkpoints.settled()
        job = await self._store.write(windows.job_of, lease)
        await self._give_back([lease], [], Failure(Code.WORKER_LOST, "not tried"))
        if void is not None and job is not None:
            state = "cancelled" if void.code == Code.FILE_CHANGED else "failed"
            if await self._store.write(jobs.fail, job, void, now_ms(), state):
                logger.warning("%s: %s: %s", state, void.code, void.reason, extra=about(job, lease=lease))
                self.cancel(job)
                self._changed()

    async def _lose(self, lost: Lost) -> None:
        """What the worker said before it went counts; the rest is given out again."""
        await self.checkpoints.settled()
        await self._give_back(lost.leases, lost.begun, lost.failure)
        self._changed()

    async def _give_back(self, leases: list[int], begun: list[tuple[int, int]], failure: Failure) -> None:
        await self._store.write(windows.release, leases, begun, failure, self._limits.window_failures, now_ms())
        self.wake()

    def _committed(self, accepted: list[windows.Delivery]) -> None:
        if accepted:
            self.rate.count(len(accepted), time.monotonic())
            self._metrics.answered(accepted)
            for slot in self.slots:
                if any(delivery.worker == slot.name for delivery in accepted):
                    slot.restarts.answered()
            self._changed()
