"""One device and the worker on it: start, serve, notice its end, start again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from vlmd.core.errors import Code, Failure
from vlmd.core.messages import (
    BatchBegun,
    Beat,
    Cancel,
    CannotStart,
    FromWorker,
    Gone,
    LeaseEnded,
    LoadModel,
    ModelSpec,
    Ready,
    RunWindows,
    Shutdown,
    WindowAnswered,
    WindowFailed,
)
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet.restart import Parked, Restarts
from vlmd.supervisor.process import Child

logger = logging.getLogger("vlmd.worker")

WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONUNBUFFERED": "1",
}
"""The daemon never touches the network, and neither does anything it starts."""


class SlotState(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    IDLE = "idle"
    BUSY = "busy"
    SWAPPING = "swapping"
    RESTARTING = "restarting"
    PARKED = "parked"
    STOPPED = "stopped"


_LONGEST_MESSAGE = 8 << 20
"""Bytes; an answer takes two million at the very most, see `MAX_TEXT_BYTES`."""
_AT_SOMETHING = (SlotState.LOADING, SlotState.BUSY, SlotState.SWAPPING)
"""States in which silence means that a worker hangs."""


@dataclass(frozen=True)
class Lost:
    """A worker that ended, and what it held."""

    worker: str
    leases: list[int]
    begun: list[tuple[int, int]]
    reason: str


@dataclass(frozen=True)
class Patience:
    """Seconds of silence after which a worker counts as hung."""

    load: float
    progress: float


Hear = Callable[["Slot", WindowAnswered | WindowFailed | LeaseEnded | Ready], Awaitable[None]]
Lose = Callable[[Lost], Awaitable[None]]


@dataclass
class Slot:
    """What is known of a device's worker; `live` keeps it alive until `stop`."""

    device: Device
    model: ModelSpec
    command: Sequence[str]
    patience: Patience
    restarts: Restarts
    hear: Hear
    lose: Lose
    state: SlotState = SlotState.STARTING
    reason: str | None = None
    pid: int | None = None
    ready: Ready | None = None
    stage: str = ""
    leases: dict[int, RunWindows] = field(default_factory=dict)
    begun: set[tuple[int, int]] = field(default_factory=set)
    answered: int = 0
    tokens: int = 0
    deaths: int = 0
    progress_at: float = 0.0
    stopping: bool = False
    _stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child[FromWorker] | None = None
    _wanted: ModelSpec | None = None
    _kill_reason: str | None = None
    _alone: int | None = None

    @property
    def name(self) -> str:
        return self.device.name

    async def live(self) -> None:
        """Keep one worker on this device until stopped or parked."""
        while not self.stopping:
            failure = await self._one_life()
            if self.stopping or self._swap():
                continue
            decision = self.restarts.exited(time.monotonic(), failure)
            if isinstance(decision, Parked):
                self._park(decision.reason)
                return
            self.state = SlotState.RESTARTING
            await self._stopped_before(decision.at)
        self.state = SlotState.STOPPED

    def has_room(self, most: int) -> bool:
        """It may be given another lease, so that it holds at most so many."""
        return len(self.leases) < most and self._alone not in self.leases

    def give(self, run: RunWindows, alone: bool = False) -> bool:
        """Hand the worker a lease; one that is to be `alone` is the only one until it has ended.

        False if there is no worker to take it (any more).
        """
        if self._child is None or self.stopping or self.state not in (SlotState.IDLE, SlotState.BUSY):
            return False
        if alone:
            self._alone = run.lease
        if not self.leases:
            self.progress_at = time.monotonic()
        self.leases[run.lease] = run
        self.state = SlotState.BUSY
        self._send(run)
        return True

    def cancel(self, job: int) -> None:
        """Tell the worker to leave a job's leases."""
        for lease, run in list(self.leases.items()):
            if run.job == job:
                self._send(Cancel(lease=lease))

    def swap(self, model: ModelSpec) -> None:
        """End this worker and load another model in its place."""
        logger.info("%s: loads %s instead of %s", self.name, model.name, self.model.name)
        self._wanted = model
        self.state, self.progress_at = SlotState.SWAPPING, time.monotonic()
        self._send(Shutdown())

    def stop(self) -> None:
        """Let the worker finish the batch in hand, then end; one that is still loading has nothing in hand."""
        self.stopping = True
        self._stop_asked.set()
        self._send(Shutdown())
        if self.state == SlotState.LOADING:
            self.kill("the daemon stops")

    def kill(self, reason: str) -> None:
        if self._child is not None:
            self._kill_reason = reason
            self._child.kill()

    def check(self, now: float) -> None:
        """Kill a worker that says nothing although it has something to do."""
        limit = self.patience.load if self.state == SlotState.LOADING else self.patience.progress
        if self._kill_reason is not None or self.state not in _AT_SOMETHING:
            return
        if now - self.progress_at > limit:
            logger.error("%s: no progress for %.0f s while %s; killed", self.name, now - self.progress_at, self.state)
            self._blame_first()
            self.kill(f"it made no progress for {limit:.0f} s while {self.state}")

    def _blame_first(self) -> None:
        """A worker that hangs before it has begun a window hangs over the first one it was given."""
        if self.leases and not self.begun:
            first = next(iter(self.leases.values()))
            self.begun.add((first.lease, first.windows[0].index))

    async def _stopped_before(self, moment: float) -> None:
        """Wait until `moment`, or until the daemon stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop_asked.wait(), max(0.0, moment - time.monotonic()))

    async def _one_life(self) -> Failure | None:
        """Start a worker and hear it until it is gone. Returns what it said if it cannot start at all."""
        environment = {**WORKER_ENVIRONMENT, **self.device.environment}
        try:
            self._child = await Child.start(self.command, FromWorker, environment)
        except OSError as error:
            self.reason = f"no process can be started: {error}"
            logger.error("%s: %s", self.name, self.reason)
            return None
        self.pid, self.ready, self._kill_reason = self._child.pid, None, None
        self.state, self.stage, self.progress_at = SlotState.LOADING, "load", time.monotonic()
        self._send(LoadModel(model=self.model, device=self.device.torch_name))
        if self.stopping:
            self._child.kill()
        failure: Failure | None = None
        async for message in self._child.messages(_LONGEST_MESSAGE):
            self.progress_at = time.monotonic()
            match message:
                case CannotStart(failure=why):
                    failure = why
                case Gone(exit=reason):
                    await self._gone(self._kill_reason or reason, failure)
                case _:
                    await self._heard(message)
        return failure

    async def _heard(self, message: FromWorker) -> None:
        match message:
            case Beat(stage=stage):
                self.stage = stage
            case BatchBegun(windows=windows):
                self.begun.update(windows)
            case Ready():
                self.ready, self.state, self.reason = message, SlotState.IDLE, None
                self.restarts.ready(time.monotonic())
                await self.hear(self, message)
            case WindowAnswered(lease=lease, window=window, tokens=tokens):
                self.begun.discard((lease, window))
                self.answered += 1
                self.tokens += len(tokens)
                await self.hear(self, message)
            case WindowFailed(lease=lease, window=window):
                self.begun.discard((lease, window))
                await self.hear(self, message)
            case LeaseEnded(lease=lease):
                self.leases.pop(lease, None)
                if not self.leases:
                    self.state = SlotState.IDLE
                await self.hear(self, message)
            case _:
                logger.error("%s: unexpected message %s", self.name, type(message).__name__)

    async def _gone(self, reason: str, failure: Failure | None) -> None:
        self.pid, self._child, self.state = None, None, SlotState.RESTARTING
        asked_to_end = self.stopping or self._wanted is not None
        lost = Lost(self.name, list(self.leases), [] if asked_to_end else sorted(self.begun), reason)
        self.leases.clear()
        self.begun.clear()
        if not asked_to_end:
            self.deaths += 1
            self.reason = failure.reason if failure else reason
            logger.error("%s: the worker is gone: %s", self.name, self.reason)
        await self.lose(lost)

    def _swap(self) -> bool:
        if self._wanted is None:
            return False
        self.model, self._wanted = self._wanted, None
        return True

    def _park(self, reason: str) -> None:
        self.state, self.reason = SlotState.PARKED, reason
        logger.error("%s: parked: %s", self.name, reason)

    def _send(self, message: LoadModel | RunWindows | Cancel | Shutdown) -> None:
        if self._child is not None:
            self._child.send(message)


def lost_failure(lost: Lost) -> Failure:
    """What a window is told whose worker died."""
    return Failure(Code.WORKER_LOST, f"the worker died while answering it: {lost.reason}")
