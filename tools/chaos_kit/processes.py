"""The daemon's process tree, read from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_KINDS = {"vlmd.media.decoder": "decoder", "vlmd.merger": "merger"}
_GONE = "ZX"
"""States of a process that has ended and waits for whoever reaps it."""


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one of the same number by the time it started."""

    pid: int
    parent: int
    started: int
    kind: str

    def alive(self) -> bool:
        found = _stat(self.pid)
        return found is not None and found[2] == self.started and found[0] not in _GONE

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if it has ended."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def reads(self, folder: Path) -> str | None:
        """The file below `folder` it has open, if any."""
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{self.pid}/fd"):
                target = os.readlink(entry.path)
                if target.startswith(f"{folder}/"):
                    return target
        return None


def descendants(pid: int) -> list[Process]:
    """Every living process below `pid`."""
    everything = [found for name in os.listdir("/proc") if name.isdecimal() and (found := _look(int(name)))]
    family, generation = [], {pid}
    while generation:
        children = [process for process in everything if process.parent in generation]
        family += children
        generation = {process.pid for process in children}
    return family


def seconds_until_gone(family: Iterable[Process], limit: float) -> float | None:
    """How long until none of `family`, nor what they started meanwhile, lives; None if that takes over `limit`."""
    begun = time.monotonic()
    left = {process.pid: process for process in family}
    while time.monotonic() - begun < limit:
        for process in list(left.values()):
            left |= {child.pid: child for child in descendants(process.pid)}
        left = {pid: process for pid, process in left.items() if process.alive()}
        if not left:
            return time.monotonic() - begun
        time.sleep(0.001)
    return None


def _look(pid: int) -> Process | None:
    found = _stat(pid)
    if found is None or found[0] in _GONE:
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    module = next((part for part in command.split("\0") if part in _KINDS or part.endswith(".worker")), "")
    kind = _KINDS.get(module, "worker" if module else "other")
    return Process(pid, found[1], found[2], kind)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """(state, parent, start time); None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[19])
