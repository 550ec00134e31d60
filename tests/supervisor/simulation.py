"""A fleet in simulated time: the real giver and scheduler, devices that only count seconds, a queue in memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.samples import FACTS, RECIPE
from vlmd.config.settings import LimitSettings
from vlmd.core.messages import ModelSpec, RunWindows
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.store import windows
from vlmd.store.windows import OpenJob
from vlmd.supervisor.fleet.giving import Giver
from vlmd.supervisor.fleet.states import ABLE, SlotState

LOAD_SECONDS = 90
MOST_EVENTS = 20_000


def spec(name: str, batch: int = 8) -> ModelSpec:
    return ModelSpec(name=name, path="/", revision="r", family="f", precision="auto", max_batch=batch, threads=1)


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


@dataclass(eq=False)
class SimSlot:
    """What the giver sees of a slot. One window takes a second, a model 90."""

    name: str
    model: ModelSpec
    world: World
    refused: dict[str, Any] = field(default_factory=dict)
    leases: dict[int, RunWindows] = field(default_factory=dict)
    state: SlotState = SlotState.IDLE
    unloaded: bool = False
    _wanted: ModelSpec | None = None
    _life: int = 0
    """Grows with each death: what the dead one would have done does not happen."""

    @property
    def ready(self) -> bool:
        return self.state in (SlotState.IDLE, SlotState.BUSY)

    @property
    def serves(self) -> str | None:
        return (self._wanted or self.model).name if self.state in ABLE else None

    def has_room(self, most: int) -> bool:
        return self.ready and len(self.leases) < most

    def give(self, run: RunWindows, alone: bool = False) -> bool:
        self.leases[run.lease] = run
        self.state = SlotState.BUSY
        if len(self.leases) == 1:
            self._work()
        return True

    def swap(self, model: ModelSpec) -> None:
        assert self.state == SlotState.IDLE
        assert not self.leases, "nothing is in hand"
        self.world.swaps.append(Swap(self.name, self.model.name, model.name, self.world.open_jobs()))
        self.state, self._wanted = SlotState.SWAPPING, model
        self._load()

    def load(self, model: ModelSpec) -> None:
        self.model, self.unloaded = model, False
        self.state = SlotState.LOADING
        self._load()

    def die(self) -> None:
        """What it holds is given out again; it comes back with the model it has, or was about to have."""
        self._life += 1
        self.world.release(list(self.leases.values()))
        self.leases.clear()
        self.state = SlotState.RESTARTING
        self._load()

    def rest(self) -> None:
        """It has no worker until it `die`s, which starts one."""
        self._life += 1
        self.state = SlotState.RESTARTING

    def _load(self) -> None:
        self._after(LOAD_SECONDS, self._loaded)

    def _loaded(self) -> None:
        self.model, self._wanted = self._wanted or self.model, None
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
        self.world.after(seconds, lambda: then() if life == self._life else None)


class World:
    """Its clock moves from one event to the next; after each the giver gives out what it can."""

    def __init__(self, models: Sequence[str], devices: int, lease_windows: int = 32) -> None:
        self.now = 0
        self.swaps: list[Swap] = []
        self.leases = 0
        self.lease_given: Callable[[int, str], None] = lambda job, device: None
        self.jobs: dict[int, OpenJob] = {}
        self.slots = [SimSlot(f"cuda:{number}", spec(models[0]), self) for number in range(devices)]
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        specs = {name: spec(name) for name in models}
        limits = LimitSettings(lease_windows=lease_windows)
        self.giver = Giver(limits, self, specs, self.slots)  # type: ignore[arg-type]  # only what it asks for

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
        return windows.Lease(self.leases, number, file, FACTS, RECIPE, shown, False)

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
