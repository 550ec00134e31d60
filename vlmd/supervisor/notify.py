"""What the service manager is told: ready, still alive, stopping. Without one, nobody is told anything.

The protocol is sd_notify(3): lines of NAME=value in one datagram to $NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.health import alive
from vlmd.supervisor.parts import Parts

logger = logging.getLogger("vlmd.notify")

_STATUS_SECONDS = 15.0
"""Between two reports, unless the watchdog wants them more often."""
_READY_CHECK_SECONDS = 0.1
_AGAIN_SECONDS = 1.0
"""Until it is asked again whether all is well: it must be told in time, once it is."""
_STOP_MARGIN_SECONDS = 30.0
"""What a stop may take beyond `limits.stop_seconds`: killing workers, writing what they said."""


class Manager:
    """The service manager, as systemd describes it to the daemon in its environment."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Takes the variables out of `environ`: they are not meant for the processes that the daemon starts."""
        self._address = environ.pop("NOTIFY_SOCKET", None)
        self._unheard = False
        self._watchdog_seconds = _watchdog(environ.pop("WATCHDOG_USEC", None), environ.pop("WATCHDOG_PID", None))

    @property
    def listens(self) -> bool:
        return self._address is not None

    @property
    def report_seconds(self) -> float:
        """How often to report: twice within the time after which the manager kills a silent daemon."""
        return min(_STATUS_SECONDS, (self._watchdog_seconds or 2 * _STATUS_SECONDS) / 2)

    def ready(self) -> None:
        self._tell("READY=1")

    def alive(self, status: str) -> None:
        watched = ("WATCHDOG=1",) if self._watchdog_seconds else ()
        self._tell(*watched, f"STATUS={status}")

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """The configuration is read anew inside."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self.ready()

    def stopping(self, seconds: float) -> None:
        """The daemon ends by itself within `seconds` and a little more; no need to kill it before."""
        microseconds = int((seconds + _STOP_MARGIN_SECONDS) * 1e6)
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={microseconds}", "STATUS=workers finish the batch in hand")

    def _tell(self, *lines: str) -> None:
        """A manager that does not listen is no reason to stop working."""
        if self._address is None:
            return
        # "@" stands for the zero byte that an abstract socket's name begins with.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._unheard:
                logger.warning("the service manager does not listen at %s: %s", self._address, error)
            self._unheard = True
        else:
            self._unheard = False


class Heartbeat:
    """Says when everything is up, and from then on that the daemon's loop turns and its database answers."""

    def __init__(self, manager: Manager, parts: Parts) -> None:
        self._manager = manager
        self._parts = parts

    async def run(self) -> None:
        """Until cancelled; returns at once where nobody listens.

        It runs in the main loop, not in a thread: if the loop or the database is stuck, nothing is said.
        """
        if not self._manager.listens:
            return
        await _until_up(self._parts)
        self._manager.ready()
        while True:
            if (reason := await alive(self._parts)) is None:
                self._manager.alive(_summary(self._parts))
            else:
                logger.error("not well, and the service manager is not told otherwise: %s", reason)
            await asyncio.sleep(self._manager.report_seconds if reason is None else _AGAIN_SECONDS)


async def _until_up(parts: Parts) -> None:
    while True:
        if await _is_up(parts):
            return
        await asyncio.sleep(_READY_CHECK_SECONDS)


async def _is_up(parts: Parts) -> bool:
    """The API takes calls, the inbox was looked at, and every worker has been started."""
    looked = parts.inbox.looks > 0 or parts.inbox.problem is not None
    started = all(slot.state != SlotState.STARTING for slot in parts.fleet.slots)
    return looked and started and await _takes_calls(parts.settings.paths.socket)


async def _takes_calls(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


def _summary(parts: Parts) -> str:
    """How things are, in a line."""
    slots = parts.fleet.slots
    able = sum(slot.state in (SlotState.IDLE, SlotState.BUSY) for slot in slots)
    busy = any(slot.leases for slot in slots)
    work = f"at work, {parts.fleet.rate.per_second(time.monotonic()):.2f} windows a second" if busy else "idle"
    problems = [str(problem) for problem in parts.problems()]
    return "; ".join(filter(None, (work, f"{able} of {len(slots)} workers ready", parts.inbox.problem, *problems)))


def _watchdog(microseconds: str | None, pid: str | None) -> float | None:
    """Seconds after which silence counts as hanging; None if nobody watches, or another process is meant."""
    if microseconds is None or (pid is not None and int(pid) != os.getpid()):
        return None
    return int(microseconds) / 1e6
