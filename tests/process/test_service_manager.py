"""What a service manager hears from a daemon: ready when it answers, alive while it does, stopping when told to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import StartDaemon
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.processes import Process, descendants
from vlmd.supervisor.notify import Manager

WATCHDOG_SECONDS = 1.0


class Listener:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))

    def next(self, seconds: float = 60.0) -> dict[str, str]:
        """The next message. Raises `TimeoutError`."""
        self._socket.settimeout(seconds)
        return dict(line.split("=", 1) for line in self._socket.recv(8192).decode().splitlines())

    def until(self, name: str, value: str = "1") -> dict[str, str]:
        """The first message from here on that says so."""
        while True:
            if (message := self.next()).get(name) == value:
                return message

    def hears_nothing(self, seconds: float) -> bool:
        """What was said before does not count."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(8192)
        with contextlib.suppress(TimeoutError):
            self.next(seconds)
            return False
        return True

    def close(self) -> None:
        self._socket.close()

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": f"{WATCHDOG_SECONDS * 1e6:.0f}", **more}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.close()


def test_from_ready_to_stopping(new_daemon: StartDaemon, listener: Listener) -> None:
    daemon = new_daemon(workers=2)
    daemon.start(environment=listener.environment())
    listener.until("READY")
    assert daemon.status() is not None, "it said that it was ready"
    for worker in descendants(daemon.pid):
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & environment_of(worker), "children have nothing to tell"
    for _ in range(3):
        assert "of 2 workers ready" in listener.until("WATCHDOG")["STATUS"]
    daemon.send(signal.SIGHUP)
    assert int(listener.until("RELOADING")["MONOTONIC_USEC"]) > 0
    listener.until("READY")
    daemon.send(signal.SIGTERM)
    stopping = listener.until("STOPPING")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 60_000_000
    assert daemon.wait() == 0


def test_a_daemon_that_is_stuck_says_nothing(new_daemon: StartDaemon, listener: Listener) -> None:
    daemon = new_daemon()
    daemon.start(environment=listener.environment())
    for stuck in (stuck_loop, stuck_database):
        listener.until("WATCHDOG")
        with stuck(daemon):
            assert listener.hears_nothing(2 * WATCHDOG_SECONDS)
    listener.until("WATCHDOG")
    listener.close()
    time.sleep(WATCHDOG_SECONDS)
    assert daemon.stop() == 0, "a manager that went away is no reason to fail"


def test_an_abstract_socket_is_reached() -> None:
    listener = Listener(f"@vlmd-test-{os.getpid()}")
    with Manager(listener.environment()).reloading():
        assert listener.next().keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert listener.next() == {"READY": "1"}
    listener.close()


def test_a_watchdog_over_another_process_is_not_fed() -> None:
    watched = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000"}
    assert Manager({**watched, "WATCHDOG_PID": str(os.getpid())}).report_seconds == 2.0
    unwatched = Manager({**watched, "WATCHDOG_PID": "1"})
    assert unwatched.report_seconds == Manager({}).report_seconds > 2.0
    assert not Manager({}).listens


def environment_of(process: Process) -> set[str]:
    entries = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries}


@contextlib.contextmanager
def stuck_loop(daemon: Daemon) -> Iterator[None]:
    daemon.send(signal.SIGSTOP)
    yield
    daemon.send(signal.SIGCONT)


@contextlib.contextmanager
def stuck_database(daemon: Daemon) -> Iterator[None]:
    """Another program holds the database; the loop goes on turning."""
    with contextlib.closing(sqlite3.connect(daemon.stage.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    assert daemon.status() is not None
