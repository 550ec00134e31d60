"""One worker process, from its start to its end: what it holds, whether it gets on, and how it is ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vlmd.core.errors import Failure
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import (
    BatchBegun,
    Beat,
    Cancel,
    CannotStart,
    FromWorker,
    LeaseEnded,
    LoadModel,
    ModelSpec,
    Ready,
    RunWindows,
    Shutdown,
    WindowAnswered,
    WindowFailed,
)
from vlmd.log import about, level
from vlmd.supervisor.devices.discovery import Device, environment_of
from vlmd.supervisor.fleet.held import Held
from vlmd.supervisor.fleet.loading import Loading
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.states import AT_SOMETHING, Lost, SlotState
from vlmd.supervisor.process import Child, python

logger = logging.getLogger("vlmd.worker")

WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONUNBUFFERED": "1",
}
"""The daemon never touches the network, and neither does anything it starts."""

WORKER_COMMAND = python("vlmd.worker")

UNKILLABLE_SECONDS = 10.0
"""A killed process that is still there after this hangs in the kernel: nothing but the driver can end it."""

_LONGEST_MESSAGE = 8 << 20
"""Bytes; an answer takes two million at the very most, see `MAX_TEXT_BYTES`."""

_ENDING_SECONDS = 5.0
"""From the end of its link to the end of a process: Python and the driver clear up."""

Told = WindowAnswered | WindowFailed | LeaseEnded | Ready
Hear = Callable[[Told], Awaitable[None]]
Lose = Callable[[Lost], Awaitable[None]]


@dataclass(frozen=True)
class Ended:
    """How a worker ended."""

    reason: str
    asked: bool
    """It was told to; nobody is to blame."""
    failure: Failure | None
    """What it said if it cannot start at all."""
    how: str
    """The same in one word: exit, signal, protocol, or hung."""


async def worker_process(devices: Sequence[Device], command: Sequence[str] = WORKER_COMMAND) -> Child[FromWorker]:
    """A process that sees these devices, and waits for its first message. Raises `OSError` where none can be had."""
    return await Child.start(command, FromWorker, {**WORKER_ENVIRONMENT, **environment_of(devices)})


class Worker:
    """`serve` is its life. What it holds when that ends, or cannot be ended, is handed to `lose`."""

    def __init__(
        self,
        name: str,
        child: Child[FromWorker],
        patience: Patience,
        hear: Hear,
        lose: Lose,
        usual: float | None = None,
    ) -> None:
        """`usual`: seconds its model took to load the last time."""
        self.name = name
        self.state = SlotState.LOADING
        self.stage = "load"
        self.loading = Loading(time.monotonic(), usual)
        self.ready: Ready | None = None
        self.held = Held()
        self.progress_at = time.monotonic()
        self.told_to_end = False
        self.stuck: str | None = None
        """It was killed and does not end."""
        self._hearing = False
        """What it has said is being dealt with: it is not the one that keeps anybody waiting."""
        self._child = child
        self._patience = patience
        self._hear = hear
        self._lose = lose
        self._killed_at: float | None = None
        self._kill_reason = ""

    @classmethod
    async def start(
        cls,
        devices: Sequence[Device],
        model: ModelSpec,
        command: Sequence[str],
        patience: Patience,
        hear: Hear,
        lose: Lose,
        usual: float | None = None,
        verify: bool = False,
    ) -> Worker:
        """A process that loads the model onto these devices, and tries it on canary windows if it is to `verify`.

        Raises `OSError` where none can be had.
        """
        device, count = devices[0], len(devices)
        child = await worker_process(devices, command)
        child.send(
            LoadModel(
                model=model,
                device=device.torch_name,
                devices=count,
                called=device.name,
                verify=verify,
                log_level=level(),
            )
        )
        return cls(device.name, child, patience, hear, lose, usual)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def takes(self) -> bool:
        """It would take a lease."""
        ending = self.told_to_end or self._killed_at is not None or self._child.link_ended_at is not None
        return not ending and self.state in (SlotState.IDLE, SlotState.BUSY)

    async def serve(self) -> Ended:
        """Hear it until it is gone, and give back what it held."""
        failure: Failure | None = None
        reason, how = "", "exit"
        async for message in self._child.messages(_LONGEST_MESSAGE):
            match message:
                case CannotStart(failure=why):
                    failure = why
                case Gone(exit=why, how=how):
                    reason, how = (self._kill_reason, "hung") if self._kill_reason else (why, how)
                case _:
                    self._progress(time.monotonic())
                    self._hearing = True
                    await self._heard(message)
                    self._hearing, self.progress_at = False, time.monotonic()
        await self._lose(self.held.drop(self.name, reason, blamed=not self.told_to_end))
        return Ended(reason, self.told_to_end, failure, how)

    def give(self, run: RunWindows, alone: bool) -> bool:
        """Hand it a lease; False if it takes none (any more)."""
        if not self.takes:
            return False
        if not self.held.leases:
            self.progress_at = time.monotonic()
        self.held.take(run, alone)
        self.state = SlotState.BUSY
        self._child.send(run)
        return True

    def cancel(self, job: int) -> None:
        """Tell it to leave a job's leases."""
        for lease in self.held.of_job(job):
            self._child.send(Cancel(lease=lease))

    def drain(self) -> None:
        """No further leases; once those it has are finished, it ends."""
        if self.state == SlotState.BUSY:
            self.state = SlotState.DRAINING
        else:
            self.leave(SlotState.PAUSING)

    def leave(self, state: SlotState) -> None:
        """It is to end: after the batch in hand, or at once if it is still loading and has nothing in hand."""
        loading, self.told_to_end = self.state == SlotState.LOADING, True
        if self.stuck is None:
            self.state, self.progress_at = state, time.monotonic()
        self._child.send(Shutdown())
        if loading:
            self.kill("it was not wanted any more")

    async def abandon(self, reason: str, state: SlotState = SlotState.PARKED) -> None:
        """Its device cannot be trusted: it ends at once, and nothing that it held is to blame."""
        self.told_to_end, self.state = True, state
        self.kill(reason)
        await self._lose(self.held.drop(self.name, reason, blamed=False))

    def kill(self, reason: str) -> None:
        if self._killed_at is None:
            self._killed_at, self._kill_reason = time.monotonic(), reason
        self._child.kill()

    async def check(self, now: float) -> None:
        """Kill it if it says nothing although it has something to do; give up what it holds if that is in vain."""
        if self._killed_at is None:
            self._check_progress(now)
        elif self.stuck is None and now - self._killed_at > UNKILLABLE_SECONDS:
            self.state = SlotState.PARKED
            self.stuck = f"stuck: process {self.pid} cannot be killed (driver?); killed as {self._kill_reason}"
            logger.error("%s; it gets no other worker until that ends", self.stuck, extra=about(device=self.name))
            await self._lose(self.held.drop(self.name, self.stuck, blamed=not self.told_to_end))

    def _check_progress(self, now: float) -> None:
        if self._child.link_ended_at is not None and now - self._child.link_ended_at > _ENDING_SECONDS:
            self.kill("it closed its link and did not end")
            return
        limit = self._patience.load if self.state == SlotState.LOADING else self._patience.progress
        if self.state in AT_SOMETHING and not self._hearing and now - self.progress_at > limit:
            silent = now - self.progress_at
            logger.error("no progress for %.0f s while %s; killed", silent, self.state, extra=about(device=self.name))
            self.held.blame_first()
            self.kill(f"it made no progress for {limit:.0f} s while {self.state}")

    def _progress(self, now: float) -> None:
        if self.state in (SlotState.BUSY, SlotState.DRAINING):
            self._patience.heard(now - self.progress_at)
        self.progress_at = now

    async def _heard(self, message: FromWorker) -> None:
        match message:
            case Beat(stage=stage):
                self._at_stage(stage, time.monotonic())
                return
            case BatchBegun(windows=windows):
                self.held.begun.update(windows)
                return
            case Ready():
                self.ready = message
                if self.state == SlotState.LOADING:
                    self.state = SlotState.IDLE
            case WindowAnswered(lease=lease, window=window) | WindowFailed(lease=lease, window=window):
                self.held.begun.discard((lease, window))
            case LeaseEnded(lease=lease):
                self._lease_ended(lease)
            case _:
                logger.error("unexpected message %s", type(message).__name__, extra=about(device=self.name))
                return
        await self._hear(message)

    def _at_stage(self, stage: str, now: float) -> None:
        self.stage = stage
        if self.state == SlotState.LOADING:
            self.loading.heard(stage, now)
            if news := self.loading.news(now):
                logger.info(news, extra=about(device=self.name))

    def _lease_ended(self, lease: int) -> None:
        self.held.leases.pop(lease, None)
        if self.held.leases:
            return
        if self.state == SlotState.BUSY:
            self.state = SlotState.IDLE
        elif self.state == SlotState.DRAINING:
            self.leave(SlotState.PAUSING)
