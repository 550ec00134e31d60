"""A device's slot: nothing is handed to a worker that is not there, and no second one is started beside a dying one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tests.store.making import RECIPE
from vlmd.core.errors import Code, Failure
from vlmd.core.memory import Memory
from vlmd.core.messages.base import Gone
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import (
    BatchBegun,
    CannotStart,
    LeaseEnded,
    LoadModel,
    ModelSpec,
    Ready,
    RunWindows,
    Shutdown,
)
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet import worker as workers
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.restart import Restarts
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import Lost, SlotState

MODEL = ModelSpec(name="m", path="/m", revision="r", family="f", precision="auto", max_batch=2, threads=1)
OTHER = ModelSpec(name="n", path="/n", revision="r", family="f", precision="auto", max_batch=2, threads=1)
READY = Ready(device="cpu", model="m", precision="fp32", parameters=0, memory_bytes=0, load_ms=0, versions={})
CANNOT = Failure(Code.MODEL_CANNOT_LOAD, "config.json is missing")


class Process:
    """A worker process as its slot sees it. `mortal`: a kill ends it, as the kernel has it for all but a few."""

    def __init__(self, mortal: bool) -> None:
        self.pid = 4711
        self.mortal = mortal
        self.link_ended_at: float | None = None
        self.sent: list[Any] = []
        self.says: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, message: object) -> None:
        self.sent.append(message)
        if isinstance(message, Shutdown) and self.mortal:
            self.says.put_nowait(Gone(exit="it ended with exit code 0"))

    async def messages(self, most: int) -> AsyncIterator[Any]:
        while not isinstance(message := await self.says.get(), Gone):
            yield message
        yield message

    def kill(self) -> None:
        if self.mortal:
            self.says.put_nowait(Gone(exit="it was killed by SIGKILL"))


class Bench:
    """A slot, the processes it has started, and what it lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, models: tuple[ModelSpec, ...] = (MODEL,)) -> None:
        self.processes: list[Process] = []
        self.lost: list[Lost] = []
        self.mortal = True
        self.written = asyncio.Event()
        self.written.set()
        """Cleared: whoever hears the end of a lease waits, as for a full disk."""
        self.memory: Memory | None = None
        monkeypatch.setattr(workers.Child, "start", self._start)
        self.slot = Slot(
            device=Device("cpu:0", "cpu", "CPU", 0),
            model=models[0],
            models={model.name: model for model in models},
            command=["worker"],
            patience=Patience(10, 10),
            restarts=Restarts(5),
            hear=self._hear,
            lose=self._lose,
            measure=self._measure,
            rested=lambda: None,
        )

    async def _start(self, *arguments: object) -> Process:
        self.processes.append(Process(self.mortal))
        return self.processes[-1]

    async def _hear(self, slot: Slot, message: object) -> None:
        if isinstance(message, LeaseEnded):
            await self.written.wait()

    async def _lose(self, lost: Lost) -> None:
        if lost.leases:
            self.lost.append(lost)

    async def _measure(self, device: Device) -> Memory | None:
        return self.memory

    async def until(self, state: SlotState, starts: int | None = None) -> None:
        await self.true(lambda: self.slot.state == state and starts in (None, len(self.processes)))

    async def true(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not what():
                await asyncio.sleep(0.005)

    async def serving(self) -> Process:
        """Its worker is ready and has a lease."""
        await self.until(SlotState.LOADING)
        self.processes[-1].says.put_nowait(READY)
        await self.until(SlotState.IDLE)
        assert self.slot.give(lease())
        return self.processes[-1]


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    bench = Bench(monkeypatch)
    async with living(bench):
        yield bench


@pytest.fixture
async def two_models(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    bench = Bench(monkeypatch, (MODEL, OTHER))
    async with living(bench):
        yield bench


class living:
    """The slot lives while the test runs."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def __aenter__(self) -> None:
        self._life = asyncio.ensure_future(self._bench.slot.live())

    async def __aexit__(self, *error: object) -> None:
        self._life.cancel()
        await asyncio.wait([self._life])


def lease(number: int = 1) -> RunWindows:
    return RunWindows(
        lease=number,
        job=1,
        file=FileRef(b"/", b"/v", FileIdentity(1, 1, 1)),
        width=1,
        height=1,
        rotation=0,
        windows=[Window(0, 0, 1000, [0], None)],
        recipe=RECIPE,
        limits=DecodeLimits(),
    )


async def test_a_lease_is_not_taken_where_no_worker_lives(bench: Bench) -> None:
    assert not bench.slot.give(lease())
    await bench.until(SlotState.LOADING)
    assert not bench.slot.give(lease()), "it is not ready"
    await bench.serving()
    bench.slot.pause(drain=False)
    assert not bench.slot.give(lease(2)), "it is about to end"
    await bench.until(SlotState.PAUSED)
    assert not bench.slot.give(lease(2))


async def test_a_worker_is_not_blamed_for_what_keeps_its_listener_waiting(bench: Bench) -> None:
    process = await bench.serving()
    bench.slot.give(lease(2))
    bench.written.clear()
    process.says.put_nowait(LeaseEnded(lease=1))
    await bench.true(lambda: list(bench.slot.leases) == [2])
    await bench.slot.check(asyncio.get_running_loop().time() + 3600)
    bench.written.set()
    await bench.slot.check(asyncio.get_running_loop().time() + 5)
    assert bench.slot.state == SlotState.BUSY
    assert len(bench.processes) == 1
    assert not bench.lost


async def test_paused_it_gives_back_what_it_held_and_blames_nobody(bench: Bench) -> None:
    process = await bench.serving()
    process.says.put_nowait(BatchBegun(windows=[(1, 0)]))
    bench.slot.pause(drain=False)
    await bench.until(SlotState.PAUSED)
    assert [(lost.leases, lost.begun) for lost in bench.lost] == [([1], [])]
    bench.slot.resume()
    await bench.until(SlotState.LOADING, starts=2)


async def test_paused_while_it_loads_it_is_ended_at_once(bench: Bench) -> None:
    await bench.until(SlotState.LOADING)
    bench.slot.pause(drain=True)
    await bench.until(SlotState.PAUSED)


async def test_drained_it_ends_with_its_last_lease(bench: Bench) -> None:
    process = await bench.serving()
    bench.slot.give(lease(2))
    bench.slot.pause(drain=True)
    assert bench.slot.state == SlotState.DRAINING
    assert not bench.slot.has_room(9)
    process.says.put_nowait(LeaseEnded(lease=1))
    await bench.true(lambda: list(bench.slot.leases) == [2])
    assert not any(isinstance(message, Shutdown) for message in process.sent)
    process.says.put_nowait(LeaseEnded(lease=2))
    await bench.until(SlotState.PAUSED)
    assert not bench.lost


async def test_resumed_before_it_has_drained_it_just_goes_on(bench: Bench) -> None:
    process = await bench.serving()
    bench.slot.pause(drain=True)
    bench.slot.resume()
    process.says.put_nowait(LeaseEnded(lease=1))
    await bench.until(SlotState.IDLE, starts=1)


async def test_idle_for_long_it_is_unloaded_until_there_is_work(bench: Bench) -> None:
    bench.slot.idle_unload = 60.0
    process = await bench.serving()
    now = asyncio.get_running_loop().time()
    await bench.slot.check(now + 5)
    process.says.put_nowait(LeaseEnded(lease=1))
    await bench.until(SlotState.IDLE)
    await bench.slot.check(now + 59)
    assert bench.slot.state == SlotState.IDLE
    await bench.slot.check(now + 61)
    await bench.until(SlotState.UNLOADED)
    bench.slot.load(MODEL)
    await bench.until(SlotState.LOADING, starts=2)


async def test_a_worker_that_cannot_be_killed_loses_its_windows_and_gets_no_second_beside_it(bench: Bench) -> None:
    bench.mortal = False
    process = await bench.serving()
    process.says.put_nowait(BatchBegun(windows=[(1, 0)]))
    await bench.true(lambda: bench.slot.worker and bench.slot.worker.held.begun)
    now = asyncio.get_running_loop().time()
    await bench.slot.check(now + 11)
    assert bench.slot.state == SlotState.BUSY, "it was killed, and may still end"
    await bench.slot.check(now + workers.UNKILLABLE_SECONDS + 1)
    assert [(lost.leases, lost.begun) for lost in bench.lost] == [([1], [(1, 0)])]
    assert bench.slot.state == SlotState.PARKED
    assert (bench.slot.reason or "").startswith("stuck: process 4711 cannot be killed (driver?)")
    assert len(bench.processes) == 1
    bench.mortal = True
    process.says.put_nowait(Gone(exit="it was killed by SIGKILL"))
    await bench.until(SlotState.LOADING, starts=2)


async def test_a_worker_that_hangs_in_its_own_end_is_given_nothing_and_killed(bench: Bench) -> None:
    process = await bench.serving()
    now = process.link_ended_at = asyncio.get_running_loop().time()
    assert not bench.slot.has_room(9)
    await bench.slot.check(now + 4)
    assert [lost.leases for lost in bench.lost] == []
    await bench.slot.check(now + 6)
    await bench.until(SlotState.LOADING, starts=2)
    assert [(lost.leases, lost.reason) for lost in bench.lost] == [([1], "it closed its link and did not end")]


async def test_on_a_sick_device_the_windows_do_not_wait_for_the_worker_to_end(bench: Bench) -> None:
    bench.mortal = False
    process = await bench.serving()
    process.says.put_nowait(BatchBegun(windows=[(1, 0)]))
    await bench.true(lambda: bench.slot.worker and bench.slot.worker.held.begun)
    await bench.slot.park("Xid 79: it has fallen off the bus")
    assert [(lost.leases, lost.begun) for lost in bench.lost] == [([1], [])]
    assert not bench.slot.has_room(9)
    process.says.put_nowait(Gone(exit="it was killed by SIGKILL"))
    await bench.true(lambda: bench.slot.worker is None)
    await bench.until(SlotState.PARKED, starts=1)
    assert bench.slot.reason == "Xid 79: it has fallen off the bus"
    bench.slot.resume()
    await bench.until(SlotState.LOADING, starts=2)


async def test_with_too_little_memory_it_waits_and_starts_when_there_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vlmd.supervisor.fleet.steps.MEMORY_LOOK_SECONDS", 0.01)
    bench = Bench(monkeypatch)
    bench.memory = Memory(free=1 << 30, total=24 << 30)
    async with living(bench):
        await bench.until(SlotState.WAITING, starts=0)
        assert "needs 1.7 GB, 1.1 GB of 25.8 GB are free" in (bench.slot.reason or "")
        bench.memory = Memory(free=2 << 30, total=24 << 30)
        await bench.until(SlotState.LOADING, starts=1)
        assert bench.slot.reason is None


async def test_a_model_larger_than_the_gpu_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, (replace_weights(MODEL, 30 << 30),))
    bench.memory = Memory(free=24 << 30, total=24 << 30)
    async with living(bench):
        await bench.until(SlotState.PARKED, starts=0)
        assert "m needs 33.9 GB, the GPU has 25.8 GB in all" in (bench.slot.reason or "")


async def test_a_model_that_cannot_be_loaded_leaves_the_device_to_another(two_models: Bench) -> None:
    await two_models.until(SlotState.LOADING)
    refuse(two_models.processes[-1])
    await two_models.until(SlotState.UNLOADED)
    assert two_models.slot.reason == f"{CANNOT.reason} ({CANNOT.remedy})"
    two_models.slot.load(OTHER)
    await two_models.until(SlotState.LOADING, starts=2)
    (load, *_) = two_models.processes[-1].sent
    assert isinstance(load, LoadModel)
    assert load.model == OTHER
    refuse(two_models.processes[-1])
    await two_models.until(SlotState.PARKED, starts=2)


def refuse(process: Process) -> None:
    process.says.put_nowait(CannotStart(failure=CANNOT))
    process.says.put_nowait(Gone(exit="it ended with exit code 78"))


def replace_weights(model: ModelSpec, count: int) -> ModelSpec:
    return msgspec.structs.replace(model, weight_bytes=count)
