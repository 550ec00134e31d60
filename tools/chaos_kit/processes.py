"""The daemon's process tree, read from /proc."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_KINDS = {"vlmd.media": "decoder", "vlmd.merger": "merger"}
_GONE = "ZX"
"""States of a process that has ended and waits for whoever reaps it."""


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one of the same number by the time it started."""

    pid: int
    parent: int
    started: int
    kind: str
    starter: int | None
    """Who started it, by its own command line: still true when it was orphaned."""

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


def descendants(*pids: int) -> list[Process]:
    """Every living process below `pids`, also where these have ended: ours carry their starter in their arguments."""
    everything = [found for name in os.listdir("/proc") if name.isdecimal() and (found := _look(int(name)))]
    family, generation = [], set(pids)
    while generation:
        children = [process for process in everything if {process.parent, process.starter} & generation]
        family += [child for child in children if child not in family]
        generation = {process.pid for process in children}
    return family


def seconds_until_gone(pid: int, family: Iterable[Process], limit: float) -> float:
    """How long until nothing below `pid`, which has ended, lives any more; infinite if that takes over `limit`.

    `family` is what was known to live; whoever was started at the last moment is looked for at the end.
    """
    begun = gone = time.monotonic()
    pids, left = {pid}, list(family)
    while left:
        pids |= {process.pid for process in left}
        while any(process.alive() for process in left):
            time.sleep(0.0005)
            gone = time.monotonic()
            if gone - begun > limit:
                return math.inf
        left = descendants(*pids)
    return gone - begun


def _look(pid: int) -> Process | None:
    found = _stat(pid)
    if found is None or found[0] in _GONE:
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    parts = command.split("\0")
    module = next((part for part in parts if part in _KINDS or part.endswith(".worker")), "")
    starter = int(parts[parts.index("--parent") + 1]) if module and "--parent" in parts else None
    return Process(pid, found[1], found[2], _KINDS.get(module, "worker" if module else "other"), starter)


def _stat(pid: int) -> tuple[str, int, int] | None:
    """(state, parent, start time); None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[19])
