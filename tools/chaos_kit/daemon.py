"""One daemon as a process: started, asked, stopped, killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

from vlmd.core.errors import StoreError
from vlmd.store import reader

from .processes import Process, descendants
from .stage import Stage

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
_API_SECONDS = 10.0


class Deadline(AssertionError):
    """Something that had to happen did not, in time."""


class Daemon:
    """The daemon of a stage. `process` is None while it does not run."""

    def __init__(self, stage: Stage, command: Sequence[str], under: Sequence[str] = ()) -> None:
        """`under`: a program that runs it, such as strace and its options."""
        self.stage = stage
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [*under, sys.executable, "-m", *command]
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(stage.state / "vlmd.sock")),
            base_url="http://vlmd",
            timeout=_API_SECONDS,
        )

    @property
    def pid(self) -> int:
        assert self.process is not None, "the daemon does not run"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> str:
        return self.stage.log.read_text(errors="replace") if self.stage.log.exists() else ""

    def start(self, *flags: str, environment: Mapping[str, str] | None = None) -> None:
        """Start it; what it says is added to the stage's log."""
        with self.stage.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.stage.environment, **(environment or {})},
                cwd=ROOT,
                start_new_session=True,
            )

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Deadline(f"the daemon did not end within {seconds:.0f} s:\n{self.log[-3000:]}") from None

    def stop(self, seconds: float = 60.0) -> int:
        """End it in order."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> list[Process]:
        """Kill it with no warning. Returns what lived below it at that moment."""
        family = descendants(self.pid)
        self.send(signal.SIGKILL)
        self.wait()
        return family

    def close(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        if self.running:
            for process in self.kill():
                process.send(signal.SIGKILL)
        self._http.close()

    def until(self, true: Callable[[], T], what: str, seconds: float = 60.0, alive: bool = True) -> T:
        """Poll until `true` says something true. `alive`: give up at once when the daemon has ended."""
        deadline = time.monotonic() + seconds
        while not (found := true()):
            if alive and not self.running:
                raise Deadline(f"the daemon ended before {what}:\n{self.log[-3000:]}")
            if time.monotonic() > deadline:
                raise Deadline(f"{what}: not within {seconds:.0f} s:\n{self.log[-3000:]}")
            time.sleep(0.02)
        return found

    def until_answering(self, seconds: float = 60.0) -> dict[str, Any]:
        """Wait for the API; returns its status."""
        return self.until(self.status, "the API answers", seconds) or {}

    def status(self) -> dict[str, Any] | None:
        """What the daemon says of itself; None while nobody answers."""
        try:
            answer: dict[str, Any] = self._http.get("/v1/status").raise_for_status().json()
            return answer
        except (httpx.TransportError, httpx.HTTPStatusError):
            return None

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return self._http.post(path, json=dict(body or {}))

    def get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of a read-only snapshot of the database; none while there is no database yet."""
        try:
            with reader.snapshot(self.stage.database) as db:
                return [dict(row) for row in db.execute(query, values)]
        except (StoreError, sqlite3.OperationalError):
            return []

    def jobs(self, state: str | None = None) -> list[dict[str, Any]]:
        where = "" if state is None else " WHERE state = ?"
        return self.rows(f"SELECT * FROM jobs{where} ORDER BY id", *([] if state is None else [state]))


def scripted(stage: Stage) -> Daemon:
    """The real daemon with scripted workers."""
    return Daemon(stage, ["tests.scripted.daemon", str(stage.config)])


def real(stage: Stage) -> Daemon:
    """The real daemon with real workers."""
    return Daemon(stage, ["vlmd", "-c", str(stage.config), "run"])
