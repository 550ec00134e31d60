"""One device: a worker on it whenever there may be one, and else the reason why there is none.

What comes next where there is no worker is decided in `steps`; this carries it out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vlmd.core.errors import OF_THE_MODEL, Code, Failure
from vlmd.core.memory import CONTEXT_BYTES, Memory, needed_bytes, never_fits, shortage
from vlmd.core.messages.worker import ModelSpec, Ready, RunWindows, WindowAnswered
from vlmd.log import about
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.memory import summed
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.restart import Restart, Restarts
from vlmd.supervisor.fleet.states import ABLE, SlotState
from vlmd.supervisor.fleet.steps import Facts, Rest, Start, Step, Stop, next_step
from vlmd.supervisor.fleet.tally import Tally
from vlmd.supervisor.fleet.team import Team
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
    untried: Callable[[ModelSpec, Device], bool] = lambda model, device: False
    """Whether a model was not tried on such a device yet."""
    needed: Needs = lambda model, total: needed_bytes(model.weight_bytes)
    worker: Worker | None = None
    refused: dict[str, Failure] = field(default_factory=dict)
    """Models that cannot be loaded here, until somebody says `resume`."""
    tally: Tally = field(default_factory=Tally)
    ready_at: float = 0.0
    stopping: bool = False
    paused: bool = False
    unloaded: bool = False
    """It has no worker until there is work for one."""
    team: Team = field(init=False)
    """Devices that its worker takes beside its own; or the one that has this device meanwhile."""
    sick: str | None = None
    """Why the device itself cannot be trusted any more."""
    _resting: SlotState = SlotState.STARTING
    _reason: str | None = None
    _wanted: ModelSpec | None = None
    _start_at: float = 0.0
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.team = Team(self)

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
    def next_model(self) -> str | None:
        """What it is about to load instead of the model it has."""
        return self._wanted.name if self._wanted else None

    @property
    def pid(self) -> int | None:
        """The process on the device: of its worker, or of the one that it is lent to."""
        worker = self.team.lent_to.worker if self.team.lent_to else self.worker
        return worker.pid if worker else None

    @property
    def ready(self) -> Ready | None:
        return self.worker.ready if self.worker else None

    @property
    def stuck(self) -> bool:
        """Its worker was killed and does not end."""
        return self.worker is not None and self.worker.stuck is not None

    @property
    def leases(self) -> Mapping[int, RunWindows]:
        return self.worker.held.leases if self.worker else {}

    @property
    def needs(self) -> int:
        """The least memory its model takes, over all devices of its worker."""
        total = [device.memory_total or 0 for device in self._devices]
        return self.needed(self.model, sum(total) or None) + CONTEXT_BYTES * (self.model.devices - 1)

    @property
    def at_rest(self) -> bool:
        """It has no worker for want of work: for want of the devices, too, that its model takes beside this one."""
        alone = self.model.devices - 1 != len(self.team.partners) and self._wanted is None
        return self.team.lent_to is None and (self.unloaded or alone)

    @property
    def empty_handed(self) -> bool:
        """Nothing would be lost if it had another model."""
        if self.worker is None:
            return self.state != SlotState.STARTING
        return self.state == SlotState.IDLE and not self.leases

    @property
    def able(self) -> bool:
        """Nothing but work decides whether it has a worker."""
        return not (self.stopping or self.paused or self.stuck or self._parked())

    @property
    def serves(self) -> str | None:
        """The model it has, or will have without anybody's doing."""
        able = self.state in ABLE and self.team.lent_to is None
        return (self._wanted or self.model).name if able else None

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
        """What comes next. Devices that were lent to it go back if that is a rest."""
        step = await self._decide()
        if isinstance(step, Rest) and step.state not in (SlotState.STARTING, SlotState.WAITING, SlotState.RESTARTING):
            self.team.dissolve()
        return step

    async def _decide(self) -> Step:
        """The GPU's memory is looked at only where nothing else stands in the way."""
        self._woken.clear()
        step = next_step(self._facts())
        if not isinstance(step, Start):
            return step
        memory = summed([await self.measure(device) for device in self._devices])
        if memory is not None and never_fits(self.needs, memory):
            self._refuse(Failure(Code.MODEL_TOO_LARGE, f"{self.model.name} {shortage(self.needs, memory)}"))
        return next_step(self._facts(memory))

    def _facts(self, memory: Memory | None = None) -> Facts:
        return Facts(
            now=time.monotonic(),
            stopping=self.stopping,
            parked=self._parked(),
            paused=self.paused,
            unloaded=self.at_rest,
            lent_to=self.team.lent_to.name if self.team.lent_to else None,
            awaits=self.team.awaited,
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
        if self.team.lent_to is not None:
            self.team.lent_to.wake()
        with contextlib.suppress(TimeoutError):
            left = None if rest.until is None else max(0.0, rest.until - time.monotonic())
            await asyncio.wait_for(self._woken.wait(), left)

    async def _one_life(self) -> None:
        """Start a worker and hear it until it is gone; what was decided while it started counts."""
        if self._resting in (SlotState.WAITING, SlotState.STARTING):
            self._reason = None
        self._resting, model = SlotState.STARTING, self.model
        try:
            usual = self.tally.load_seconds.get(model.name)
            listeners = (self._heard, self.lose)
            verify = self.untried(model, self.device)
            worker = await Worker.start(self._devices, model, self.command, self.patience, *listeners, usual, verify)
        except OSError as error:
            self._died(Ended(f"no process can be started: {error}", asked=False, failure=None, how="exit"))
            return
        self.worker = worker
        if self.model is not model or not isinstance(next_step(self._facts()), Start):
            worker.leave(SlotState.PAUSING)
        ended = await worker.serve()
        self.worker, self._resting = None, SlotState.RESTARTING
        self._lived(ended)

    def _lived(self, ended: Ended) -> None:
        """A worker has ended: what follows for the next one."""
        self.team.give_back()
        if self._wanted is not None:
            self.model, self._wanted = self._wanted, None
        elif not ended.asked:
            self._died(ended)

    def _died(self, ended: Ended) -> None:
        self._reason = ended.failure.reason if ended.failure else ended.reason
        self.tally.died("cannot-start" if ended.failure else ended.how)
        logger.error("the worker is gone: %s", self._reason, extra=about(device=self.name))
        if ended.failure is not None and ended.failure.code in OF_THE_MODEL:
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

    def swap(self, model: ModelSpec, partners: Sequence[Slot] = ()) -> None:
        """End this worker and load another model in its place, over the partners' devices, too."""
        logger.info("loads %s instead of %s", model.name, self.model.name, extra=about(device=self.name))
        self._wanted = model
        self.team.take(partners)
        self.tally.changes(time.monotonic())
        if self.worker is not None:
            self.worker.leave(SlotState.SWAPPING)

    def load(self, model: ModelSpec, partners: Sequence[Slot] = ()) -> None:
        """There is work for this model: a device that has no worker for want of work gets one."""
        self.team.take(partners)
        if model.name != self.model.name:
            self.tally.changes(time.monotonic())
        self.model, self.unloaded = model, False
        self._rise()

    async def _heard(self, message: Told) -> None:
        match message:
            case Ready():
                self._reason = None
                self._is_ready(time.monotonic())
            case WindowAnswered(tokens=tokens, timings=timings):
                self.tally.window(len(tokens), time.monotonic())
                self.tally.timings = timings
        await self.hear(self, message)

    def _is_ready(self, now: float) -> None:
        self.ready_at = now
        self.restarts.ready(now)
        loaded_in = self.worker.loading.seconds(now) if self.worker else 0.0
        took = self.tally.ready(self.model.name, loaded_in, now)
        if took is not None:
            logger.info("has %s now; the swap took %.1f s", self.model.name, took, extra=about(device=self.name))

    # --- what others decide ---------------------------------------------------------------------------------

    def pause(self, drain: bool) -> None:
        """No further windows. The batch in hand, or with `drain` every lease, is finished; then the worker ends."""
        self.paused = True
        self.let_worker_go(drain)
        if self.team.lent_to is not None:
            self.team.lent_to.team.part(drain)

    def let_worker_go(self, drain: bool) -> None:
        """The worker ends soon; what follows is decided then."""
        self.wake()
        if self.worker is not None and not self.worker.told_to_end:
            self.worker.drain() if drain else self.worker.leave(SlotState.PAUSING)

    def resume(self) -> None:
        """Whatever kept it from having a worker is forgotten, and tried anew."""
        self.paused, self.unloaded, self.sick = False, self.team.broken, None
        self.refused.clear()
        if self.worker is None:
            self.model = self.models.get(self.model.name, self.model)  # its files may have been read again
        self.restarts.forget()
        self._start_at = 0.0
        if self.worker is not None and self.worker.state == SlotState.DRAINING and not self.unloaded:
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
            if self.team.lent_to is not None:
                await self.team.lent_to.team.part_at_once(reason)

    def wake(self) -> None:
        """Something that it waits for may have come."""
        self._woken.set()

    def rest_unloaded(self) -> None:
        """It has no worker until there is work."""
        self.unloaded, self._reason = True, None
        self.wake()

    @property
    def _devices(self) -> list[Device]:
        """What its worker is to see."""
        return [self.device, *(slot.device for slot in self.team.partners)]

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
