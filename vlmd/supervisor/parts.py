"""The parts of a running daemon, and how they are wired together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vlmd.config import Live, Settings
from vlmd.core.errors import Failure, Problem
from vlmd.core.messages.worker import ModelSpec
from vlmd.inbox import Inbox
from vlmd.store import Store
from vlmd.supervisor.collecting import Collector
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.health import Health
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.figures import Book
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.hooks.hooks import Hooks
from vlmd.supervisor.keeping import Keeper
from vlmd.supervisor.merging import Mergers
from vlmd.supervisor.metrics import Metrics
from vlmd.supervisor.planning import Planner
from vlmd.supervisor.reloading import Reloading
from vlmd.supervisor.verified import Verified


@dataclass(frozen=True)
class Parts:
    live: Live
    store: Store
    devices: Sequence[Device]
    nvml: Nvml
    book: Book
    planner: Planner
    fleet: Fleet
    gpu_health: Health
    mergers: Mergers
    collector: Collector
    inbox: Inbox
    metrics: Metrics
    hooks: Hooks
    keeper: Keeper
    changed: Callable[[], None]
    """Something moved: every part looks whether that is work for it."""
    voided: Callable[[list[int]], Awaitable[None]]
    """These jobs ended, or begin anew: workers leave them."""
    reloading: Reloading
    models: Mapping[str, ModelSpec]
    """What pipelines use, by name."""
    absent: Mapping[str, Failure]
    """What they would use and is not here, with the reason."""
    verified: Verified

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.live.now

    def waiting_pipelines(self) -> dict[str, Failure]:
        """Those whose model is not here, with the reason."""
        used = {name: pipeline.model for name, pipeline in self.settings.pipelines.items()}
        return {name: self.absent[model] for name, model in used.items() if model in self.absent}

    def problems(self) -> list[Problem]:
        """What keeps some part waiting just now."""
        waits = [self.store.problem] if self.store.problem else []
        unsound = self.verified.problems(self.models.values(), self.devices)
        return [*waits, *self.planner.problems(), *self.mergers.problems(), *self.collector.problems(), *unsound]


def wire(
    live: Live,
    store: Store,
    models: dict[str, ModelSpec],
    absent: dict[str, Failure],
    devices: Sequence[Device],
    nvml: Nvml,
    worker_command: Sequence[str],
    announced: Callable[[], AbstractContextManager[None]],
) -> Parts:
    """Make every part and tell them of each other; nothing runs yet. Reloads are `announced`."""

    def changed() -> None:
        book.wake()
        planner.wake()
        fleet.wake()
        mergers.wake()
        collector.wake()
        hooks.wake()

    async def voided(jobs: list[int]) -> None:
        for job in jobs:
            fleet.cancel(job)

    planner = Planner(live, store, models, absent, changed)
    book = Book(live, models, wanted=any(device.uuid for device in devices))
    metrics = Metrics(device.name for device in devices)
    verified = Verified(live.now.paths.state / "verified.json")
    fleet = Fleet(live.now, store, models, devices, nvml, worker_command, changed, metrics, verified, book.needs)
    gpu_health = Health(devices, nvml, fleet.park)
    mergers = Mergers(live, store, changed)
    collector = Collector(live, store)
    hooks = Hooks(live.now, store, metrics)
    inbox = Inbox(live, store, changed, voided)
    keeper = Keeper(live, store)
    reloading = Reloading(live, models, absent, planner, fleet, inbox, changed, announced)
    return Parts(
        live,
        store,
        devices,
        nvml,
        book,
        planner,
        fleet,
        gpu_health,
        mergers,
        collector,
        inbox,
        metrics,
        hooks,
        keeper,
        changed,
        voided,
        reloading,
        models,
        absent,
        verified,
    )
