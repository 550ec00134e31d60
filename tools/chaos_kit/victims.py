"""Who is killed next, and who is spared.

A window whose worker dies three times while it is in hand, and a video whose decoder dies three times in a row
while it is indexed, are given up by design, as is a worker that dies again and again while it loads. None of
that is what is to be shown here, so what has died twice over something is spared until that is over. The victim
is stopped before it is looked at: what it holds cannot change between the look and the kill.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

from .daemon import Daemon
from .processes import Process, descendants

_DEATHS = 2
"""So often in a row may something be killed over the same thing."""


@dataclass(frozen=True)
class Strike:
    """A worker that was killed while it held windows."""

    at: int
    """When, in milliseconds since 1970."""
    windows: list[int]


class Victims:
    """Kills, or stops, workers and decoders of a daemon."""

    def __init__(self, daemon: Daemon, dice: random.Random) -> None:
        self._daemon = daemon
        self._dice = dice
        self._loads = 0
        self._indexings: Counter[tuple[str, int]] = Counter()
        self.killed: Counter[str] = Counter()
        self.strikes: list[Strike] = []
        self.spared = 0

    def new_daemon(self) -> None:
        """The supervisor was started again: it knows nothing of what died under the last one."""
        self._loads = 0

    def candidates(self, kind: str) -> list[Process]:
        """Living processes of a kind: "worker" or "decoder"."""
        return [process for process in descendants(self._daemon.pid) if process.kind == kind]

    def strike(self, kind: str) -> bool:
        """Kill one of a kind. False when there is none, or it was spared."""
        candidates = self.candidates(kind)
        if not candidates:
            return False
        victim = self._dice.choice(candidates)
        victim.send(signal.SIGSTOP)
        what = self._guise(victim)
        if what is None:
            self.spared += 1
            victim.send(signal.SIGCONT)
            return False
        held = self._held(victim) if what == "worker" else []
        at = time.time_ns() // 1_000_000
        victim.send(signal.SIGKILL)
        self.killed[what] += 1
        if held:
            self.strikes.append(Strike(at, held))
        return True

    def stop(self) -> Process | None:
        """Stop a worker at work for good, as a driver that hangs would; None while there is none to be had."""
        for victim in self.candidates("worker"):
            victim.send(signal.SIGSTOP)
            if not self._suspects() and self._is_ready(victim) and self._held(victim):
                self.killed["worker, by being stopped"] += 1
                return victim
            victim.send(signal.SIGCONT)
        return None

    def _held(self, worker: Process) -> list[int]:
        """The windows it has leased."""
        status = self._daemon.status()
        names = [device["name"] for device in status["devices"] if device["pid"] == worker.pid] if status else []
        query = "SELECT windows.id FROM windows JOIN leases ON leases.id = lease WHERE worker = ?"
        return [row["id"] for name in names for row in self._daemon.rows(query, name)]

    def _guise(self, victim: Process) -> str | None:
        """What the victim is doing, as it is counted; None if it is to be spared."""
        if victim.kind == "decoder" and victim.parent == self._daemon.pid:
            return self._indexing(victim)
        if self._suspects():
            return None
        if victim.kind == "decoder":
            return "decoder of a worker"
        if self._is_ready(victim):
            return "worker"
        self._loads += 1
        return "worker while it loads" if self._loads <= _DEATHS else None

    def _indexing(self, victim: Process) -> str | None:
        file = victim.reads(self._daemon.stage.inbox)
        if file is None:
            return None
        (planned,) = self._daemon.rows("SELECT count(*) AS times FROM transitions WHERE old = 'indexing'")
        self._indexings[file, planned["times"]] += 1
        return "decoder that indexes" if self._indexings[file, planned["times"]] <= _DEATHS else None

    def _suspects(self) -> bool:
        """Somebody holds a window over which workers have died twice."""
        return bool(
            self._daemon.rows("SELECT 1 FROM windows WHERE state = 'leased' AND failures >= ? LIMIT 1", _DEATHS)
        )

    def _is_ready(self, victim: Process) -> bool:
        status = self._daemon.status()
        devices = status["devices"] if status else []
        return any(device["pid"] == victim.pid and device["state"] in ("idle", "busy") for device in devices)
