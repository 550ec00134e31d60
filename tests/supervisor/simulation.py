"""A fleet in simulated time: the real giver and scheduler, devices that only count seconds, a queue in memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.samples import FACTS, RECIPE
from vlmd.config.settings import LimitSettings
from vlmd.core.errors import Failure
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.store import windows
from vlmd.store.windows import OpenJob
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet.giving import Giver
from vlmd.supervisor.fleet.states import ABLE, SlotState
from vlmd.supervisor.fleet.team import Team

LOAD_SECONDS, ENDING_SECONDS = 90, 10
MOST_EVENTS = 20_000
_WITH_WORKER = (SlotState.IDLE, SlotState.BUSY, SlotState.SWAPPING)


def spec(name: str, devices: int = 1) -> ModelSpec:
    kind = {"revision": "r", "family": "f", "precision": "auto"}
    return ModelSpec(name=name, path="/", max_batch=8, threads=1, devices=devices, **kind)


@dataclass(frozen=True)
class Arrival:
    at: int
    """Seconds since the beginning."""
    model: str
    windows: int


@dataclass(frozen=True)
class Swap:
    device: str
    old: str
    new: str
    jobs: Sequence[OpenJob]
    """The queue at the moment of the decision."""


async def _nothing_coming(model: str) -> bool:
    """Every job is planned at once."""
    return False


class SimSlot:
    """What the giver sees of a slot. One window takes a second, a model 90, the end of a worker 10."""

    def __init__(self, number: int, model: ModelSpec, world: World) -> None:
        self.device = Device(f"cuda:{number}", "cuda", "GPU", number)
        self.name = self.device.name
        self.model = model
        self.refused: dict[str, Failure] = {}
        self.leases: dict[int, RunWindows] = {}
        self.team = Team(self)  # type: ignore[arg-type]  # all that it asks for is here
        self.state = SlotState.IDLE if model.devices == 1 else SlotState.UNLOADED
        self.unloaded = model.devices > 1
        self.told_to_end = self.paused = False
        self.sick = None
        self.able = True
        self._world = world
        self._wanted: ModelSpec | None = None
        self._life = 0
        """Grows with each death: what the dead one would have done does not happen."""

    @property
    def ready(self) -> bool:
        return self.state in (SlotState.IDLE, SlotState.BUSY)

    @property
    def worker(self) -> SimSlot | None:
        return self if self.state in (*_WITH_WORKER, SlotState.LOADING) else None

    @property
    def serves(self) -> str | None:
        return (self._wanted or self.model).name if self.state in ABLE and self.team.lent_to is None else None

    @property
    def at_rest(self) -> bool:
        return self.team.lent_to is None and self.unloaded

    @property
    def empty_handed(self) -> bool:
        return (self.worker is None and self.state != SlotState.STARTING) or self.state == SlotState.IDLE

    def has_room(self, most: int) -> bool:
        return self.ready and len(self.leases) < most

    def give(self, run: RunWindows, alone: bool = False) -> bool:
        assert self.team.lent_to is None
        assert not self.team.awaited
        self.leases[run.lease] = run
        self.state = SlotState.BUSY
        if len(self.leases) == 1:
            self._work()
        return True

    def swap(self, model: ModelSpec, partners: Sequence[SimSlot] = ()) -> None:
        assert self.state == SlotState.IDLE
        assert not self.leases, "nothing is in hand"
        self._world.swaps.append(Swap(self.name, self.model.name, model.name, self._world.open_jobs()))
        self._wanted = model
        self.team.take(partners)  # type: ignore[arg-type]
        self.leave(SlotState.SWAPPING)

    def load(self, model: ModelSpec, partners: Sequence[SimSlot] = ()) -> None:
        assert not self.leases
        self.team.take(partners)  # type: ignore[arg-type]
        self.model, self.unloaded, self.state = model, False, SlotState.STARTING
        self.wake()

    def leave(self, state: SlotState) -> None:
        assert not self.leases, "nothing is in hand"
        self.state, self.told_to_end = state, True
        self._after(ENDING_SECONDS, self._ended)

    def wake(self) -> None:
        if self.worker is None and self.team.lent_to is not None:
            self.team.dissolve()
            self.state = SlotState.LENT
            self.team.lent_to.wake()
        elif self.state == SlotState.STARTING and not self.team.awaited:
            self._load()

    def rest_unloaded(self) -> None:
        self.state, self.unloaded = SlotState.UNLOADED, True

    def die(self) -> None:
        """What it holds is given out again; it comes back with the model it has, or was about to have."""
        if self.worker is None or self.told_to_end:
            return
        self.rest()
        self._load()

    def rest(self) -> None:
        """It has no worker until it `comes_back`."""
        self._life += 1
        self._world.release(list(self.leases.values()))
        self.leases.clear()
        self.state = SlotState.RESTARTING

    def comes_back(self) -> None:
        self._load()

    def _ended(self) -> None:
        self.told_to_end = False
        self.state = SlotState.STARTING
        self.team.give_back()
        if self._wanted is not None:
            self.model, self._wanted = self._wanted, None
        self.wake()

    def _load(self) -> None:
        assert len(self.team.partners) == self.model.devices - 1, "it has all devices that it takes"
        assert all(partner.worker is None for partner in self.team.partners), "nobody else is on them"
        self.state = SlotState.LOADING
        self._after(LOAD_SECONDS, self._loaded)

    def _loaded(self) -> None:
        self.state = SlotState.IDLE

    def _work(self) -> None:
        run = next(iter(self.leases.values()))
        self._after(len(run.windows), lambda: self._done(run))

    def _done(self, run: RunWindows) -> None:
        del self.leases[run.lease]
        if self.leases:
            self._work()
        else:
            self.state = SlotState.IDLE

    def _after(self, seconds: int, then: Callable[[], None]) -> None:
        life = self._life
        self._world.after(seconds, lambda: then() if life == self._life else None)


class World:
    """Its clock moves from one event to the next; after each the giver gives out what it can."""

    def __init__(self, models: Sequence[str], devices: int, takes: Mapping[str, int] | None = None) -> None:
        """`takes`: how many devices a model takes, where that is not one. The first model is loaded."""
        self.now = 0
        self.swaps: list[Swap] = []
        self.leases = 0
        self.lease_given: Callable[[int, str], None] = lambda job, device: None
        self.jobs: dict[int, OpenJob] = {}
        specs = {name: spec(name, (takes or {}).get(name, 1)) for name in models}
        self.slots = [SimSlot(number, specs[models[0]], self) for number in range(devices)]
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.giver = Giver(LimitSettings(), self, specs, self.slots, _nothing_coming)  # type: ignore[arg-type]  # only what it asks for

    def arrive(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            self.after(arrival.at, lambda arrival=arrival: self._add(arrival))  # type: ignore[misc]

    def run(self) -> None:
        """Until nothing happens any more."""
        for _ in range(MOST_EVENTS):
            if not self._events:
                return
            self.now, _, event = heapq.heappop(self._events)
            event()
            _at_once(self.giver.give())
        raise AssertionError(f"it never ends: {len(self.swaps)} swaps, {self.open_jobs()}")

    def after(self, seconds: int, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, event))

    def open_jobs(self) -> list[OpenJob]:
        waiting = [job for job in self.jobs.values() if job.pending]
        return sorted(waiting, key=lambda job: (-job.priority, job.id))

    def release(self, runs: Sequence[RunWindows]) -> None:
        for run in runs:
            self._take(run.job, -len(run.windows))

    async def write(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """What the giver asks of the store."""
        if verb is windows.open_jobs:
            return self.open_jobs()
        assert verb is windows.lease
        number, device, size, *_ = arguments
        self.leases += 1
        self.lease_given(number, device)
        size = min(size, self.jobs[number].pending)
        self._take(number, size)
        shown = [Window(index, 0, 1000, [0], None) for index in range(size)]
        file = FileRef(b"/", b"/v", FileIdentity(1, 1, 1))
        return windows.Lease(self.leases, number, file, FACTS, RECIPE, shown, {0: 0}, False)

    def _add(self, arrival: Arrival) -> None:
        number = len(self.jobs) + 1
        self.jobs[number] = OpenJob(number, arrival.model, arrival.windows, False, 0, self.now * 1000)

    def _take(self, number: int, count: int) -> None:
        job = self.jobs[number]
        self.jobs[number] = msgspec.structs.replace(job, pending=job.pending - count)


def _at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Nothing in it waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
