"""Watches the GPUs while they work: one that cannot be trusted any more is parked, the others go on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from vlmd.log import about
from vlmd.supervisor.devices import xid
from vlmd.supervisor.devices.checkup import Checkup, check_up, sick
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.devices.listener import XidListener
from vlmd.supervisor.devices.nvml import Nvml, NvmlError

logger = logging.getLogger("vlmd.devices")

_CHECK_SECONDS = 2.0

Park = Callable[[str, str], Awaitable[None]]
"""(device's name, reason)"""


class Health:
    """Runs beside the fleet. A driver that does not answer parks nothing: `problem` says so, for status."""

    def __init__(self, devices: Sequence[Device], nvml: Nvml, park: Park) -> None:
        self._names = {device.uuid: device.name for device in devices if device.uuid}
        self._nvml = nvml
        self._park = park
        self._first: dict[str, Checkup] = {}
        self.problem: str | None = None

    async def run(self) -> None:
        if not self._names:
            return
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

        def heard(uuid: str, number: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(events.put_nowait, (uuid, number))

        listener = XidListener(list(self._names), heard)
        listener.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poll())
                tasks.create_task(self._hear(events))
        finally:
            listener.stop()

    def forget(self, name: str) -> None:
        """A person has looked at this device: what is wrong with it from now on counts."""
        for uuid, known in self._names.items():
            if known == name:
                self._first.pop(uuid, None)

    async def _hear(self, events: asyncio.Queue[tuple[str, int]]) -> None:
        while True:
            uuid, number = await events.get()
            if (reason := xid.verdict(number)) is not None:
                await self._park(self._names[uuid], reason)
            else:
                words = (number, xid.meaning(number))
                logger.warning("Xid %d: %s", *words, extra=about(device=self._names[uuid]))

    async def _poll(self) -> None:
        while True:
            try:
                checkups = await self._nvml.ask(lambda: check_up(list(self._names)))
                unreadable = [f"{self._names[uuid]}: {it.unreadable}" for uuid, it in checkups.items() if it.unreadable]
                self._unknown("; ".join(unreadable) or None)
                await self._judge(checkups)
            except NvmlError as error:
                self._unknown(str(error))
            await asyncio.sleep(_CHECK_SECONDS)

    def _unknown(self, problem: str | None) -> None:
        """What could not be found out, told once."""
        if problem is not None and problem != self.problem:
            logger.error("the GPUs' health is not known: %s", problem)
        self.problem = problem

    async def _judge(self, checkups: dict[str, Checkup]) -> None:
        for uuid, checkup in checkups.items():
            reason = sick(checkup, self._first.setdefault(uuid, checkup))
            if reason is not None:
                await self._park(self._names[uuid], reason)
