"""Two devices and a model that takes both: one worker sees them, nobody else is on them, and they go back after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tests.supervisor.test_slot import CANNOT, MODEL, READY, Process, lease
from vlmd.core.memory import Memory
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import CannotStart, LeaseEnded, LoadModel
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet import worker as workers
from vlmd.supervisor.fleet.patience import Patience
from vlmd.supervisor.fleet.restart import Restarts
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import Lost, SlotState
from vlmd.supervisor.fleet.team import group_of

LARGE = msgspec.structs.replace(MODEL, name="large", devices=2)
GIB = 1 << 30


class Pair:
    """Two slots, the processes that were started, and what each was shown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[Process] = []
        self.shown: list[str] = []
        self.free: dict[str, int] = {}
        monkeypatch.setattr(workers.Child, "start", self._start)
        self.first, self.second = self.slots = [self._slot(number) for number in range(2)]

    def _slot(self, number: int) -> Slot:
        visible = {"CUDA_VISIBLE_DEVICES": f"GPU-{number}"}
        return Slot(
            device=Device(f"cuda:{number}", "cuda", "GPU", number, environment=visible),
            model=MODEL,
            models={MODEL.name: MODEL, LARGE.name: LARGE},
            command=["worker"],
            patience=Patience(10, 10),
            restarts=Restarts(5),
            hear=self._hear,
            lose=self._lose,
            measure=self._measure,
            rested=lambda: None,
        )

    async def _start(self, command: object, kind: object, environment: dict[str, str]) -> Process:
        self.shown.append(environment["CUDA_VISIBLE_DEVICES"])
        self.processes.append(Process(mortal=True))
        return self.processes[-1]

    async def _hear(self, slot: Slot, message: object) -> None:
        pass

    async def _lose(self, lost: Lost) -> None:
        pass

    async def _measure(self, device: Device) -> Memory | None:
        return Memory(self.free[device.name], 24 * GIB) if self.free else None

    async def true(self, what: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not what():
                await asyncio.sleep(0.005)

    async def states(self, first: SlotState, second: SlotState) -> None:
        async with asyncio.timeout(10):
            while [slot.state for slot in self.slots] != [first, second]:
                await asyncio.sleep(0.005)

    async def together(self) -> Process:
        """Both have been at work for themselves; now one worker has both, and is idle."""
        await self.states(SlotState.LOADING, SlotState.LOADING)
        for process in self.processes:
            process.says.put_nowait(READY)
        await self.states(SlotState.IDLE, SlotState.IDLE)
        self.first.swap(LARGE, [self.second])
        await self.states(SlotState.LOADING, SlotState.LENT)
        self.processes[-1].says.put_nowait(READY)
        await self.states(SlotState.IDLE, SlotState.LENT)
        return self.processes[-1]


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    pair = Pair(monkeypatch)
    lives = [asyncio.ensure_future(slot.live()) for slot in pair.slots]
    yield pair
    for life in lives:
        life.cancel()
    await asyncio.wait(lives)


async def test_one_worker_sees_both_devices_once_both_are_free(pair: Pair) -> None:
    process = await pair.together()
    assert pair.shown == ["GPU-0", "GPU-1", "GPU-0,GPU-1"]
    (load,) = process.sent
    assert isinstance(load, LoadModel)
    assert (load.model.name, load.device, load.devices) == ("large", "cuda:0", 2)
    assert (pair.second.reason, pair.second.pid) == ("with cuda:0", process.pid)
    assert (pair.first.serves, pair.second.serves) == ("large", None)
    assert not pair.second.has_room(9)
    assert pair.first.tally.swaps == 1


async def test_it_waits_for_a_neighbour_that_is_slow_to_end(pair: Pair) -> None:
    await pair.states(SlotState.LOADING, SlotState.LOADING)
    for process in pair.processes:
        process.says.put_nowait(READY)
    await pair.states(SlotState.IDLE, SlotState.IDLE)
    slow = pair.processes[1]
    slow.mortal = False
    pair.first.swap(LARGE, [pair.second])
    await pair.states(SlotState.STARTING, SlotState.SWAPPING)
    assert pair.first.reason == "waits for cuda:1"
    assert len(pair.processes) == 2
    slow.says.put_nowait(Gone(exit="it ended with exit code 0"))
    await pair.states(SlotState.LOADING, SlotState.LENT)
    assert pair.first.reason is None


async def test_for_a_model_of_one_device_the_other_goes_back_when_the_worker_has_ended(pair: Pair) -> None:
    process = await pair.together()
    process.mortal = False
    pair.first.swap(MODEL)
    await pair.states(SlotState.SWAPPING, SlotState.LENT)
    process.says.put_nowait(Gone(exit="it ended with exit code 0"))
    await pair.states(SlotState.LOADING, SlotState.UNLOADED)
    assert pair.second.reason is None
    pair.second.load(MODEL)
    await pair.states(SlotState.LOADING, SlotState.LOADING)
    assert pair.shown[-2:] == ["GPU-0", "GPU-1"]


async def test_a_worker_that_dies_keeps_its_devices(pair: Pair) -> None:
    process = await pair.together()
    process.says.put_nowait(Gone(exit="it was killed by SIGKILL", how="signal"))
    await pair.true(lambda: len(pair.processes) == 4)
    await pair.states(SlotState.LOADING, SlotState.LENT)
    assert pair.shown[-1] == "GPU-0,GPU-1"


async def test_paused_the_lent_device_is_free_only_once_the_worker_has_ended(pair: Pair) -> None:
    process = await pair.together()
    process.mortal = False
    pair.second.pause(drain=False)
    await pair.states(SlotState.PAUSING, SlotState.PAUSING)
    assert pair.second.pid == process.pid
    process.says.put_nowait(Gone(exit="it ended with exit code 0"))
    await pair.states(SlotState.UNLOADED, SlotState.PAUSED)
    assert pair.second.pid is None
    pair.first.load(MODEL)
    await pair.states(SlotState.LOADING, SlotState.PAUSED)
    pair.second.resume()
    await pair.states(SlotState.LOADING, SlotState.LOADING)


async def test_drained_the_leases_are_finished_first(pair: Pair) -> None:
    process = await pair.together()
    assert pair.first.give(lease())
    pair.second.pause(drain=True)
    await pair.states(SlotState.DRAINING, SlotState.PAUSING)
    pair.first.resume()
    assert pair.first.state == SlotState.DRAINING, "the other one is to rest all the same"
    process.says.put_nowait(LeaseEnded(lease=1))
    await pair.states(SlotState.UNLOADED, SlotState.PAUSED)


async def test_with_the_first_paused_the_other_goes_back(pair: Pair) -> None:
    await pair.together()
    pair.first.pause(drain=False)
    await pair.states(SlotState.PAUSED, SlotState.UNLOADED)
    pair.first.resume()
    await pair.states(SlotState.UNLOADED, SlotState.UNLOADED)
    assert pair.first.at_rest, "alone it cannot have that model"
    pair.first.load(LARGE, [pair.second])
    await pair.states(SlotState.LOADING, SlotState.LENT)


async def test_a_sick_device_ends_the_worker_at_once_and_costs_the_other_nothing(pair: Pair) -> None:
    process = await pair.together()
    assert pair.first.give(lease())
    await pair.second.park("Xid 79: it has fallen off the bus")
    await pair.states(SlotState.UNLOADED, SlotState.PARKED)
    assert not any(type(message).__name__ == "Shutdown" for message in process.sent), "it was killed"
    assert pair.first.tally.deaths == 0
    pair.first.load(MODEL)
    await pair.states(SlotState.LOADING, SlotState.PARKED)


async def test_a_model_that_cannot_be_loaded_gives_the_devices_back(pair: Pair) -> None:
    await pair.states(SlotState.LOADING, SlotState.LOADING)
    for process in pair.processes:
        process.says.put_nowait(READY)
    await pair.states(SlotState.IDLE, SlotState.IDLE)
    pair.first.swap(LARGE, [pair.second])
    await pair.states(SlotState.LOADING, SlotState.LENT)
    pair.processes[-1].says.put_nowait(CannotStart(failure=CANNOT))
    pair.processes[-1].says.put_nowait(Gone(exit="it ended with exit code 78"))
    await pair.states(SlotState.UNLOADED, SlotState.UNLOADED)
    assert list(pair.first.refused) == ["large"]
    assert not pair.second.refused


async def test_the_memory_of_both_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmd.supervisor.fleet.steps.MEMORY_LOOK_SECONDS", 0.01)
    pair = Pair(monkeypatch)
    pair.free = {"cuda:0": 20 * GIB, "cuda:1": 5 * GIB}
    huge = msgspec.structs.replace(LARGE, weight_bytes=30 * GIB)
    for slot in pair.slots:
        slot.unloaded = True
    pair.first.load(huge, [pair.second])
    lives = [asyncio.ensure_future(slot.live()) for slot in pair.slots]
    await pair.states(SlotState.WAITING, SlotState.LENT)
    assert (pair.first.reason or "").startswith("needs 34.5 GB, 26.8 GB of 51.5 GB are free")
    pair.free["cuda:1"] = 20 * GIB
    await pair.states(SlotState.LOADING, SlotState.LENT)
    for life in lives:
        life.cancel()
    await asyncio.wait(lives)


def test_groups_are_fixed_by_position_and_of_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(monkeypatch)
    slots: list[Any] = [*pair.slots, *(pair._slot(number) for number in (2, 3, 4))]
    assert group_of(slots, slots[1], 2) == slots[0:2]
    assert group_of(slots, slots[2], 2) == slots[2:4]
    assert group_of(slots, slots[4], 2) == []
    assert group_of(slots, slots[4], 1) == [slots[4]]
    assert group_of(slots, slots[3], 5) == slots
    slots[1].device = Device("cpu:0", "cpu", "CPU", 0)
    assert group_of(slots, slots[0], 2) == []
