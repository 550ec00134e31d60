"""The parts of a running daemon, and how they are wired together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vlmd.config import Live, Settings
from vlmd.core.messages import ModelSpec
from vlmd.inbox import Inbox
from vlmd.store import Store
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.merging import Mergers
from vlmd.supervisor.planning import Planner
from vlmd.supervisor.reloading import Reloading


@dataclass(frozen=True)
class Parts:
    live: Live
    store: Store
    devices: Sequence[Device]
    nvml: Nvml
    planner: Planner
    fleet: Fleet
    mergers: Mergers
    inbox: Inbox
    changed: Callable[[], None]
    """Something moved: every part looks whether that is work for it."""
    voided: Callable[[list[int]], Awaitable[None]]
    """These jobs ended, or begin anew: workers leave them."""
    reloading: Reloading

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.live.now


def wire(
    live: Live,
    store: Store,
    models: dict[str, ModelSpec],
    devices: Sequence[Device],
    nvml: Nvml,
    worker_command: Sequence[str],
) -> Parts:
    """Make every part and tell them of each other; nothing runs yet."""

    def changed() -> None:
        planner.wake()
        fleet.wake()
        mergers.wake()

    async def voided(jobs: list[int]) -> None:
        for job in jobs:
            fleet.cancel(job)

    planner = Planner(live, store, models, changed)
    fleet = Fleet(live.now, store, models, devices, worker_command, changed)
    mergers = Mergers(live, store, changed)
    inbox = Inbox(live, store, changed, voided)
    reloading = Reloading(live, models, planner, fleet, inbox, changed)
    return Parts(live, store, devices, nvml, planner, fleet, mergers, inbox, changed, voided, reloading)
