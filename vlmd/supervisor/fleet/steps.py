"""What comes next for a device that has no worker. Pure: everything that is known is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from vlmd.core.memory import Memory, shortage
from vlmd.supervisor.fleet.states import SlotState

MEMORY_LOOK_SECONDS = 2.0
"""Between two looks at a GPU whose free memory is too small."""


@dataclass(frozen=True)
class Facts:
    now: float
    stopping: bool = False
    parked: str | None = None
    """Why no worker may be started before a person has looked."""
    paused: bool = False
    unloaded: bool = False
    """The worker ended for want of work, and none has come."""
    start_at: float = 0.0
    """Not before this moment: the last worker died."""
    lent_to: str | None = None
    """The device whose worker uses this one."""
    awaits: str | None = None
    """Which devices that its worker is to use are not free yet, in words."""
    needs: int = 0
    memory: Memory | None = None
    """None where it could not be read, or is nobody else's: then a start is simply tried."""


@dataclass(frozen=True)
class Start:
    """Start a worker now."""


@dataclass(frozen=True)
class Rest:
    """Have none; look again at `until`, or when something has changed."""

    state: SlotState
    reason: str | None = None
    until: float | None = None


@dataclass(frozen=True)
class Stop:
    """The slot has served its time."""


Step = Start | Rest | Stop


def next_step(facts: Facts) -> Step:
    """The first rule that applies, the most final first."""
    if facts.stopping:
        return Stop()
    if facts.parked is not None:
        return Rest(SlotState.PARKED, facts.parked)
    if facts.lent_to is not None:
        return Rest(SlotState.PAUSING if facts.paused else SlotState.LENT, f"with {facts.lent_to}")
    if facts.paused:
        return Rest(SlotState.PAUSED, "paused by request; `vlmd resume` starts it again")
    if facts.unloaded:
        return Rest(SlotState.UNLOADED)
    if facts.now < facts.start_at:
        return Rest(SlotState.RESTARTING, until=facts.start_at)
    if facts.awaits is not None:
        return Rest(SlotState.STARTING, facts.awaits)
    if facts.memory is not None and (short := shortage(facts.needs, facts.memory)):
        return Rest(SlotState.WAITING, short, until=facts.now + MEMORY_LOOK_SECONDS)
    return Start()
