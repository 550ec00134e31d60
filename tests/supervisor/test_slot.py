"""A device's slot between two lives: nothing may be handed to a worker that is not there."""

from __future__ import annotations

from tests.store.making import RECIPE
from vlmd.core.messages import DecodeLimits, ModelSpec, RunWindows
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet.restart import Restarts
from vlmd.supervisor.fleet.slot import Lost, Patience, Slot, SlotState

MODEL = ModelSpec(name="m", path="/m", revision="r", family="f", precision="auto", max_batch=2, threads=1)


def slot() -> Slot:
    async def hear(slot: Slot, message: object) -> None: ...

    async def lose(lost: Lost) -> None: ...

    device = Device("cpu:0", "cpu", "CPU", 0)
    return Slot(device, MODEL, ["false"], Patience(1, 1), Restarts(5), hear, lose)


def lease() -> RunWindows:
    return RunWindows(
        lease=1,
        job=1,
        file=FileRef(b"/", b"/v", FileIdentity(1, 1, 1)),
        width=1,
        height=1,
        rotation=0,
        windows=[Window(0, 0, 1000, [0], None)],
        recipe=RECIPE,
        limits=DecodeLimits(),
    )


async def test_a_lease_is_not_taken_where_no_worker_lives() -> None:
    empty = slot()
    for state in SlotState:
        empty.state = state
        assert not empty.give(lease())
        assert not empty.leases
