"""A device's slot between two lives: nothing may be handed to a worker that is not there."""

from __future__ import annotations

import asyncio
import sys
import time

from msgspec.structs import replace

from tests.store.making import RECIPE
from vlmd.core.messages import DecodeLimits, LeaseEnded, ModelSpec, RunWindows
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


SAYS_TWO_THINGS = """
import os, socket, sys
from vlmd.core.messages import LeaseEnded, Ready
from vlmd.link import Link
link = Link(socket.socket(fileno=int(sys.argv[sys.argv.index("--link-fd") + 1])), bytes)
link.send(Ready("d", "m", "p", 0, 0, 0, {}))
link.send(LeaseEnded(lease=1))
os.read(0, 1)
import time; time.sleep(60)
"""


async def test_a_worker_is_not_blamed_for_what_keeps_its_listener_waiting() -> None:
    """A full disk, above all: the worker has said something, and it has not been written yet."""
    waits, heard = slot(), asyncio.Event()
    waits.command = [sys.executable, "-c", SAYS_TWO_THINGS]

    async def hear(of: Slot, message: object) -> None:
        if isinstance(message, LeaseEnded):
            of.give(replace(lease(), lease=2))
            heard.set()
            await asyncio.sleep(3600)

    waits.hear = hear
    living = asyncio.create_task(waits.live())
    async with asyncio.timeout(30):
        await heard.wait()
    assert waits.state == SlotState.BUSY
    waits.check(waits.progress_at)
    waits.check(time.monotonic() + 3600)
    assert waits._kill_reason is None
    waits.kill("the test is over")
    living.cancel()
