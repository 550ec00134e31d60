"""One device: a worker on it whenever there may be one, and else the reason why there is none.

What comes next where there is no worker is decided in `steps`; this carries it out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vlmd.core.errors import Code, Failure
from vlmd.core.memory import Memory, needed_bytes, never_fits, shortage
from vlmd.core.messages import ModelSpec, Ready, RunWindows, WindowAnswered
from vlmd.log import about
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.rate import Rate
from vlmd.supervisor.fleet.restart import Restart, Restarts
from vlmd.supervisor.fleet.states import ABLE, SlotState
from vlmd.supervisor.fleet.steps import Facts, Rest, Start, Step, Stop, next_step
from vlmd.supervisor.fleet.worker import Ended, Lose, Told, Worker

logger = logging.getLogger("vlmd.worker")

Hear = Callable[["Slot", Told], Awaitable[None]]
Measure = Callable[[Device], Awaitable[Memory | None]]
Needs = Callable[[ModelSpec, int | None], int]
"""The least memory that a model takes of a GPU with so many bytes in all."""

_LEVELS = {SlotState.PARKED: logging.ERROR, SlotState.WAITING: logging.WARNING}


@dataclass(eq=False)
class Slot:
    """What is known of a device; `live` lasts until `stop`."""

    device: Device
    model: ModelSpec
    models: Mapping[str, ModelSpec]
    """Every model it may be asked to load."""
    command: Sequence[str]
    patience: Patience
    restarts: Restarts
    hear: Hear
    lose: Lose
    measure: Measure
    rested: Callable[[], None]
    """Called when it has no worker, and will have none for a while."""
    idle_unload: float | None = None
    needed: Needs = lambda model, total: needed_bytes(model.weight_bytes)
    worker: Worker | None = None
    refused: dict[str, Failure] = field(default_factory=dict)
    """Models that cannot be loaded here, until somebody says `resume`."""
    answered: int = 0
    tokens: int = 0
    window_rate: Rate = field(default_factory=Rate)
    token_rate: Rate = field(default_factory=Rate)
    ready_at: float = 0.0
    deaths: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    """The same deaths by what ended the worker."""
    stopping: bool = False
    paused: bool = False
    unloaded: bool = False
    """It has no worker until there is work for one."""
    sick: str | None = None
    """Why the device itself cannot be trusted any more."""
    _resting: SlotState = SlotState.STARTING
    _reason: str | None = None
    _wanted: ModelSpec | None = None
    _start_at: float = 0.0
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    # --- how it is ------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.device.name

    @property
    def state(self) -> SlotState:
        return self.worker.state if self.worker else self._resting

    @property
    def reason(self) -> str | None:
        """Why it is as it is, or what went wrong last."""
        return self.worker.stuck if self.worker and self.worker.stuck else self._reason

    @property
    def stage(self) -> str:
        return self.worker.stage if self.worker else ""

    @property
    def pid(self) -> int | None:
        return self.worker.pid if self.worker else None

    @property
    def ready(self) -> Ready | None:
        return self.worker.ready if self.worker else None

    @property
    def stuck(self) -> bool:
        """Its worker was killed and does not end."""
        return self.worker is not None and self.worker.stuck is not None

    @property
    def begun(self) -> set[tuple[int, int]]:
        """The (lease, window) pairs that are on the device now."""
        return self.worker.held.begun if self.worker else set()

    @property
    def leases(self) -> Mapping[int, RunWindows]:
        return self.worker.held.leases if self.worker else {}

    @property
    def needs(self) -> int:
        """The least memory its model takes."""
        return self.needed(self.model, self.device.memory_total)

    @property
    def serves(self) -> str | None:
        """The model it has, or will have without anybody's doing."""
        return (self._wanted or self.model).name if self.state in ABLE else None

    # --- from start to end ----------------------------------------------------------------------------------

    async def live(self) -> None:
        """Until the daemon stops: a worker whenever there may be one, else a rest."""
        while not isinstance(step := await self._next(), Stop):
            if isinstance(step, Start):
                await self._one_life()
            else:
                await self._rest(step)
        self._resting = SlotState.STOPPED

    async def _next(self) -> Step:
        """What comes next; the GPU's memory is looked at only where nothing else stands in the way."""
        self._woken.clear()
        step = next_step(self._facts())
        if not isinstance(step, Start):
            return step
        memory = await self.measure(self.device)
        if memory is not None and never_fits(self.needs, memory):
            self._refuse(Failure(Code.MODEL_TOO_LARGE, f"{self.model.name} {shortage(self.needs, memory)}"))
        return next_step(self._facts(memory))

    def _facts(self, memory: Memory | None = None) -> Facts:
        return Facts(
            now=time.monotonic(),
            stopping=self.stopping,
            parked=self._parked(),
            paused=self.paused,
            unloaded=self.unloaded,
            start_at=self._start_at,
            needs=self.needs,
            memory=memory,
        )

    def _parked(self) -> str | None:
        """Why no worker may be started before a person has looked."""
        if self.sick is not None:
            return self.sick
        if self.refused.keys() >= self.models.keys():
            return "; ".join(f"it cannot start: {why.reason}; {why.remedy}" for why in self.refused.values())
        return self.restarts.parked.reason if self.restarts.parked else None

    async def _rest(self, rest: Rest) -> None:
        """No worker until something changes, or the time has come."""
        if rest.state != self._resting and rest.state != SlotState.RESTARTING:
            level = _LEVELS.get(rest.state, logging.INFO)
            words = f"{rest.state}: {rest.reason}" if rest.reason else rest.state
            logger.log(level, words, extra=about(device=self.name))
        self._resting, self._reason = rest.state, rest.reason or self._reason
        self.rested()
        with contextlib.suppress(TimeoutError):
            left = None if rest.until is None else max(0.0, rest.until - time.monotonic())
            await asyncio.wait_for(self._woken.wait(), left)

    async def _one_life(self) -> None:
        """Start a worker and hear it until it is gone; what was decided while it started counts."""
        if self._resting == SlotState.WAITING:
            self._reason = None
        try:
            worker = await Worker.start(self.device, self.model, self.command, self.patience, self._heard, self.lose)
        except OSError as error:
            self._died(Ended(f"no process can be started: {error}", asked=False, failure=None, how="exit"))
            return
        self.worker = worker
        if not isinstance(next_step(self._facts()), Start):
            worker.leave(SlotState.PAUSING)
        ended = await worker.serve()
        self.worker, self._resting = None, SlotState.RESTARTING
        self._lived(ended)

    def _lived(self, ended: Ended) -> None:
        """A worker has ended: what follows for the next one."""
        if self._wanted is not None:
            self.model, self._wanted = self._wanted, None
        elif not ended.asked:
            self._died(ended)

    def _died(self, ended: Ended) -> None:
        self.deaths += 1
        self._reason = ended.failure.reason if ended.failure else ended.reason
        self.causes["cannot-start" if ended.failure else ended.how] += 1
        logger.error("the worker is gone: %s", self._reason, extra=about(device=self.name))
        if ended.failure is not None and ended.failure.code == Code.MODEL_CANNOT_LOAD:
            self._refuse(ended.failure)
            return
        decision = self.restarts.exited(time.monotonic(), ended.failure)
        if isinstance(decision, Restart):
            self._start_at = decision.at

    def _refuse(self, failure: Failure) -> None:
        """This model cannot be loaded here; the device is free for another one that has work."""
        self.refused[self.model.name] = failure
        self.unloaded, self._reason = True, f"{failure.reason} ({failure.remedy})"

    # --- work -----------------------------------------------------------------------------------------------

    def job_of(self, lease: int) -> int | None:
        """The job of a lease that the worker holds."""
        return self.leases[lease].job if lease in self.leases else None

    def has_room(self, most: int) -> bool:
        """It may be given another lease, so that it holds at most so many."""
        return self.worker is not None and self.worker.takes and self.worker.held.has_room(most)

    def give(self, run: RunWindows, alone: bool = False) -> bool:
        """Hand the worker a lease; one that is to be `alone` is the only one until it has ended.

        False if there is no worker to take it (any more).
        """
        return self.worker is not None and self.worker.give(run, alone)

    def cancel(self, job: int) -> None:
        """The worker leaves a job that has ended."""
        if self.worker is not None:
            self.worker.cancel(job)

    def swap(self, model: ModelSpec) -> None:
        """End this worker and load another model in its place."""
        logger.info("loads %s instead of %s", model.name, self.model.name, extra=about(device=self.name))
        self._wanted = model
        if self.worker is not None:
            self.worker.leave(SlotState.SWAPPING)

    def load(self, model: ModelSpec) -> None:
        """There is work for this model: a device that has no worker for want of work gets one."""
        self.model, self.unloaded = model, False
        self._rise()

    async def _heard(self, message: Told) -> None:
        match message:
            case Ready():
                self._reason = None
                self.ready_at = time.monotonic()
                self.restarts.ready(self.ready_at)
            case WindowAnswered(tokens=tokens):
                self.answered += 1
                self.tokens += len(tokens)
                self.window_rate.count(1, time.monotonic())
                self.token_rate.count(len(tokens), time.monotonic())
        await self.hear(self, message)

    # --- what others decide ---------------------------------------------------------------------------------

    def pause(self, drain: bool) -> None:
        """No further windows. The batch in hand, or with `drain` every lease, is finished; then the worker ends."""
        self.paused = True
        self._woken.set()
        if self.worker is not None and not self.worker.told_to_end:
            self.worker.drain() if drain else self.worker.leave(SlotState.PAUSING)

    def resume(self) -> None:
        """Whatever kept it from having a worker is forgotten, and tried anew."""
        self.paused, self.unloaded, self.sick = False, False, None
        self.refused.clear()
        self.restarts.forget()
        self._start_at = 0.0
        if self.worker is not None and self.worker.state == SlotState.DRAINING:
            self.worker.state = SlotState.BUSY
        self._rise()

    def _rise(self) -> None:
        """End a rest, whatever it was for."""
        self._resting, self._reason = SlotState.STARTING, None
        self._woken.set()

    async def park(self, reason: str) -> None:
        """The device is sick: its worker is ended at once."""
        if self.sick is None:
            self.sick = self._reason = reason
            self._woken.set()
            if self.worker is not None:
                await self.worker.abandon(reason)

    def stop(self) -> None:
        """Let the worker finish the batch in hand, then end."""
        self.stopping = True
        self._woken.set()
        if self.worker is not None:
            self.worker.leave(self.worker.state)

    def kill(self, reason: str) -> None:
        if self.worker is not None:
            self.worker.kill(reason)

    async def check(self, now: float) -> None:
        """Look after the worker: one that hangs is killed, one that has been idle for long is let go."""
        if self.worker is None:
            return
        await self.worker.check(now)
        idle = now - self.worker.progress_at if self.state == SlotState.IDLE else 0.0
        if self.idle_unload is not None and idle > self.idle_unload and not self.worker.told_to_end:
            self.unloaded = True
            self.worker.leave(SlotState.UNLOADING)
