"""The states of a device's slot, and what is said of a worker that was lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vlmd.core.errors import Code, Failure


class SlotState(StrEnum):
    STARTING = "starting"
    """No worker yet; one is about to be started."""
    WAITING = "waiting"
    """The GPU's free memory is too small for the model; looked at again and again."""
    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    """It finishes the leases it has, then rests."""
    PAUSING = "pausing"
    """It finishes the batch in hand, then rests."""
    PAUSED = "paused"
    """No worker, by request; the GPU is free."""
    UNLOADING = "unloading"
    UNLOADED = "unloaded"
    """No worker, because there is no work for one; the GPU is free."""
    LENT = "lent"
    """It is used by the worker of a neighbour, whose model takes several devices."""
    SWAPPING = "swapping"
    """The worker ends to make room for one with another model."""
    RESTARTING = "restarting"
    """The worker died; the next one is started in a moment."""
    PARKED = "parked"
    """No worker until a person has looked; the reason says why."""
    STOPPED = "stopped"


AT_SOMETHING = (
    SlotState.LOADING,
    SlotState.BUSY,
    SlotState.DRAINING,
    SlotState.PAUSING,
    SlotState.UNLOADING,
    SlotState.SWAPPING,
)
"""States in which silence means that a worker hangs."""

ABLE = (SlotState.STARTING, SlotState.LOADING, SlotState.IDLE, SlotState.BUSY, SlotState.SWAPPING, SlotState.RESTARTING)
"""States in which a device has a worker, or will have one without anybody's doing."""


@dataclass(frozen=True)
class Lost:
    """A worker that ended, and what it held."""

    worker: str
    leases: list[int]
    begun: list[tuple[int, int]]
    reason: str

    @property
    def failure(self) -> Failure:
        """What a window is told whose worker died."""
        return Failure(Code.WORKER_LOST, f"the worker died while answering it: {self.reason}")
