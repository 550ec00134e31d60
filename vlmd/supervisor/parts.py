"""The parts of a running daemon, and how they are wired together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from vlmd.config import Settings
from vlmd.core.errors import Problem
from vlmd.core.messages import ModelSpec
from vlmd.inbox import Inbox
from vlmd.store import Store
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.health import Health
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.hooks.hooks import Hooks
from vlmd.supervisor.keeping import Keeper
from vlmd.supervisor.merging import Mergers
from vlmd.supervisor.metrics import Metrics
from vlmd.supervisor.planning import Planner


@dataclass(frozen=True)
class Parts:
    settings: Settings
    store: Store
    devices: Sequence[Device]
    nvml: Nvml
    planner: Planner
    fleet: Fleet
    health: Health
    mergers: Mergers
    inbox: Inbox
    metrics: Metrics
    hooks: Hooks
    keeper: Keeper
    changed: Callable[[], None]
    """Something moved: every part looks whether that is work for it."""
    voided: Callable[[list[int]], Awaitable[None]]
    """These jobs ended because their file changed: workers leave them."""

    def problems(self) -> list[Problem]:
        """What keeps some part waiting just now."""
        waits = [self.store.problem] if self.store.problem else []
        return [*waits, *self.planner.problems(), *self.mergers.problems()]


def wire(
    settings: Settings,
    store: Store,
    models: Mapping[str, ModelSpec],
    devices: Sequence[Device],
    nvml: Nvml,
    worker_command: Sequence[str],
) -> Parts:
    """Make every part and tell them of each other; nothing runs yet."""

    def changed() -> None:
        planner.wake()
        fleet.wake()
        mergers.wake()
        hooks.wake()

    async def voided(jobs: list[int]) -> None:
        for job in jobs:
            fleet.cancel(job)

    planner = Planner(settings, store, models, changed)
    metrics = Metrics(device.name for device in devices)
    fleet = Fleet(settings, store, models, devices, nvml, worker_command, changed, metrics)
    health = Health(devices, nvml, fleet.park)
    mergers = Mergers(settings, store, changed)
    hooks = Hooks(settings, store, metrics)
    inbox = Inbox(settings, store, changed, voided)
    keeper = Keeper(settings, store)
    queue = (planner, fleet, health, mergers, inbox)
    return Parts(settings, store, devices, nvml, *queue, metrics, hooks, keeper, changed, voided)
