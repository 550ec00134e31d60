"""The disk is full, or fails, under a running daemon; results cannot be written. Nothing acknowledged is lost."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests.process.conftest import Film, StartDaemon, answers, content_of, job_done, result_of
from tools.chaos_kit.daemon import Daemon

Films = dict[str, Film]


class Trouble:
    """Calls fail while a file lies there."""

    def __init__(self, folder: Path) -> None:
        self.guard = folder / "trouble"

    def __enter__(self) -> None:
        self.guard.touch()

    def __exit__(self, *_: object) -> None:
        self.guard.unlink()


@pytest.fixture
def trouble(tmp_path: Path) -> Iterator[Trouble]:
    yield Trouble(tmp_path)


def problems(daemon: Daemon) -> list[dict[str, Any]]:
    status = daemon.status()
    return status["problems"] if status else []


def test_a_full_disk_pauses_everything_and_nothing_is_lost(
    new_daemon: StartDaemon, films: Films, shim: Path, trouble: Trouble
) -> None:
    daemon = new_daemon(workers=2, script={"seconds": 0.05}, limits={"stop_seconds": 3.0})
    daemon.stage.drop(films["one"].path)
    full = faults.environment(shim, daemon.stage.state, FAIL="write,create:ENOSPC", WHILE=trouble.guard)
    daemon.start(environment=full)
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    with trouble:
        (problem,) = daemon.until(lambda: problems(daemon), "the status says so")
        assert "the disk is full" in problem["reason"] and "make room" in problem["remedy"]
        daemon.stage.drop(films["two"].path)
        refused = daemon.post("/v1/jobs", {"path": str(films["two"].path), "pipeline": "match"})
        assert refused.status_code == 503 and "the disk is full" in refused.json()["error"]
        time.sleep(2.0)
        assert daemon.log.count("the disk is full") == 1, "told once, not at every attempt"
        assert len(daemon.stage.asked()) < 23, "no lease is given out meanwhile"
    daemon.until(lambda: job_done(daemon, 1) and job_done(daemon, 2), "all goes on by itself")
    assert problems(daemon) == []
    assert len(daemon.stage.asked()) == answers(daemon), "what was answered meanwhile was kept"
    for name in ("one", "two"):
        assert content_of(result_of(daemon.stage, f"{name}.mp4")) == films[name].content
    assert daemon.stop() == 0


def test_on_a_full_disk_it_still_stops(new_daemon: StartDaemon, films: Films, shim: Path, trouble: Trouble) -> None:
    daemon = new_daemon(script={"seconds": 0.05}, limits={"stop_seconds": 2.0}, command=True)
    daemon.stage.drop(films["one"].path)
    full = faults.environment(shim, daemon.stage.state, FAIL="write,create:ENOSPC", WHILE=trouble.guard)
    daemon.start(environment=full)
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    with trouble:
        daemon.until(lambda: problems(daemon), "the status says so")
        acknowledged = answers(daemon)
        daemon.send(signal.SIGTERM)
        assert daemon.wait(30.0) == 75
    assert "vlmd: " in daemon.log and "the disk is full" in daemon.log.rpartition("vlmd: ")[2]
    assert answers(daemon) == acknowledged
    daemon.start("--once")
    assert daemon.wait() == 0
    assert content_of(result_of(daemon.stage, "one.mp4")) == films["one"].content


def test_a_disk_that_fails_ends_it_and_the_next_start_goes_on(
    new_daemon: StartDaemon, films: Films, shim: Path, trouble: Trouble
) -> None:
    daemon = new_daemon(script={"seconds": 0.05}, command=True)
    daemon.stage.drop(films["one"].path)
    fails = faults.environment(shim, daemon.stage.state, FAIL="sync:EIO", WHILE=trouble.guard)
    daemon.start(environment=fails)
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    acknowledged = answers(daemon)
    with trouble:
        assert daemon.wait(30.0) == 74
    assert "the disk failed; see the kernel's log" in daemon.log
    assert answers(daemon) >= acknowledged
    daemon.start("--once")
    assert daemon.wait() == 0
    assert content_of(result_of(daemon.stage, "one.mp4")) == films["one"].content


def test_a_result_that_cannot_be_written_waits_and_others_go_on_being_answered(
    new_daemon: StartDaemon, films: Films, shim: Path, trouble: Trouble
) -> None:
    daemon = new_daemon()
    daemon.stage.drop(films["one"].path)
    fault = {"FAIL": "write:ENOSPC", "WHILE": trouble.guard}
    with trouble:
        daemon.start(environment=faults.environment(shim, daemon.stage.results, only="vlmd.merger", **fault))
        (problem,) = daemon.until(lambda: problems(daemon), "the status says so")
        assert problem["what"] == "the result of job 1 cannot be written" and problem["remedy"]
        assert "No space left on device" in problem["reason"]
        daemon.stage.drop(films["two"].path)
        daemon.until(lambda: daemon.jobs("merging")[1:], "another video is answered")
        assert not [path for path in daemon.stage.results.rglob("*") if path.is_file()]
    daemon.until(lambda: job_done(daemon, 1) and job_done(daemon, 2), "they are written")
    assert problems(daemon) == []
    for name in ("one", "two"):
        assert content_of(result_of(daemon.stage, f"{name}.mp4")) == films[name].content


def test_without_descriptors_no_video_is_blamed(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    daemon.start()
    daemon.until(lambda: daemon.stage.diary("loads"), "the worker has been started")
    daemon.until_answering()
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd"))
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (used + 1, before[1]))
    daemon.stage.drop(films["one"].path)
    daemon.until(lambda: "Too many open files" in daemon.log, "it says so")
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
    daemon.until(lambda: job_done(daemon), "all goes on by itself")
    assert content_of(result_of(daemon.stage, "one.mp4")) == films["one"].content
    assert daemon.stop() == 0


def test_a_wall_clock_that_jumps_changes_nothing(new_daemon: StartDaemon, films: Films, shim: Path) -> None:
    daemon = new_daemon()
    daemon.stage.drop(films["one"].path)
    jumps = faults.environment(shim, daemon.stage.state, only="tests.scripted.daemon", CLOCK=100_000)
    daemon.start("--once", environment=jumps)
    assert daemon.wait() == 0
    assert content_of(result_of(daemon.stage, "one.mp4")) == films["one"].content
    times = [row["at"] for row in daemon.rows("SELECT at FROM transitions ORDER BY id")]
    assert times != sorted(times), "it did jump"
    assert len(daemon.stage.asked()) == answers(daemon)
