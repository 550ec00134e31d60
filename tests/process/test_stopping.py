"""Told to stop, told twice, killed: nothing acknowledged is lost, nobody is left behind, the next start goes on."""

from __future__ import annotations

import signal
import sqlite3

import pytest

from tests.process.conftest import Film, StartDaemon, answers, content_of, result_of
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.processes import Process, descendants, seconds_until_gone
from vlmd.store.schema import migrations

Films = dict[str, Film]


def working(new_daemon: StartDaemon, films: Films, seconds: float, command: bool = False) -> Daemon:
    """A daemon in the middle of the long film, `seconds` an answer."""
    daemon = new_daemon(workers=2, script={"seconds": seconds}, command=command)
    daemon.stage.drop(films["long"].path)
    daemon.start()
    return daemon


def leased(daemon: Daemon) -> int:
    return len(daemon.rows("SELECT 1 FROM windows WHERE state = 'leased'"))


def assert_goes_on_to_the_end(daemon: Daemon, films: Films) -> None:
    daemon.stage.save_script(seconds=0.0)
    daemon.start("--once")
    assert daemon.wait() == 0
    assert content_of(result_of(daemon.stage, "long.mp4")) == films["long"].content
    twice = daemon.rows("SELECT 1 FROM answers GROUP BY fingerprint, start_ms HAVING count(*) > 1")
    assert not twice


def test_told_to_stop_it_finishes_what_is_in_hand(new_daemon: StartDaemon, films: Films) -> None:
    daemon = working(new_daemon, films, 0.1, command=True)
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    assert daemon.stop() == 0
    assert 0 < answers(daemon) < 39
    assert leased(daemon) == 0
    assert len(daemon.stage.asked()) == answers(daemon), "what was asked was answered and kept"
    assert not (daemon.stage.state / "vlmd.sock").exists()
    assert_goes_on_to_the_end(daemon, films)


def test_told_twice_it_ends_at_once(new_daemon: StartDaemon, films: Films) -> None:
    daemon = working(new_daemon, films, 60.0, command=True)
    daemon.until(lambda: daemon.stage.asked(), "a question is asked")
    daemon.send(signal.SIGTERM)
    daemon.until(lambda: "stopping" in daemon.log, "it was heard")
    assert daemon.running
    daemon.send(signal.SIGTERM)
    assert daemon.wait(30) == 0, "the batch in hand takes longer than that"
    assert leased(daemon) == 0
    assert not any(row["failures"] for row in daemon.rows("SELECT failures FROM windows")), "a stop is nobody's fault"
    assert_goes_on_to_the_end(daemon, films)


def test_it_stops_while_a_worker_waits_to_be_started_again(new_daemon: StartDaemon) -> None:
    daemon = new_daemon(script={"die_at_load": True})
    daemon.start()
    daemon.until(lambda: len(daemon.stage.diary("loads")) >= 3, "the worker has died three times")
    daemon.until(lambda: daemon.log.count("the worker is gone") >= 3, "that was seen")
    assert daemon.stop(seconds=2.0) == 0


def test_killed_it_leaves_no_child_and_loses_no_answer(new_daemon: StartDaemon, films: Films) -> None:
    daemon = working(new_daemon, films, 0.1)
    daemon.until(lambda: answers(daemon) > 2, "some answers are in")
    daemon.until(lambda: {"worker", "decoder"} <= {p.kind for p in descendants(daemon.pid)}, "decoders are at work")
    before = daemon.rows("SELECT * FROM answers ORDER BY id")
    pid = daemon.pid
    assert seconds_until_gone(pid, daemon.kill(), limit=10.0) < 1.0
    assert leased(daemon) > 0
    assert daemon.rows("SELECT * FROM answers ORDER BY id")[: len(before)] == before
    assert_goes_on_to_the_end(daemon, films)


def test_a_second_daemon_on_the_same_state_is_refused(new_daemon: StartDaemon) -> None:
    daemon = new_daemon(command=True)
    daemon.start()
    daemon.until_answering()
    second = Daemon(daemon.stage, ["tests.process.command", "-c", str(daemon.stage.config), "run"])
    second.start()
    assert second.wait() == 75
    assert last_words(daemon).startswith(f"vlmd: another vlmd already runs on {daemon.stage.state}")
    assert daemon.status() is not None, "the first one is not disturbed"
    assert daemon.stop() == 0


def test_a_database_of_a_newer_vlmd_is_refused(new_daemon: StartDaemon) -> None:
    daemon = used(new_daemon)
    with sqlite3.connect(daemon.stage.database) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    assert refused(daemon, 75) == (
        f"vlmd: {daemon.stage.database} has schema 999, this vlmd knows {migrations()[-1][0]};"
        " install the newer vlmd that wrote it"
    )


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_database_is_refused_and_left_as_it_is(new_daemon: StartDaemon, damage: str) -> None:
    daemon = used(new_daemon)
    path = daemon.stage.database
    content = path.read_bytes()
    path.write_bytes(b"this is not a database" * 99 if damage == "noise" else content[: len(content) // 2])
    left = path.read_bytes()
    words = refused(daemon, 75)
    assert words.startswith(f"vlmd: {path} is damaged")
    assert "move it aside (`mkdir " in words and words.endswith("results are not touched by either")
    assert path.read_bytes() == left


def used(new_daemon: StartDaemon) -> Daemon:
    """A daemon that ran once and has a database."""
    daemon = new_daemon(command=True)
    daemon.start("--once")
    assert daemon.wait() == 0
    return daemon


def refused(daemon: Daemon, code: int) -> str:
    """Start it in vain; what it said."""
    daemon.start()
    assert daemon.wait(10.0) == code
    assert "Traceback" not in daemon.log
    return last_words(daemon)


def last_words(daemon: Daemon) -> str:
    return daemon.log.splitlines()[-1]


def decoder_that_indexes(daemon: Daemon) -> Process | None:
    """Decoders that index are the supervisor's own, those that decode for a worker are that worker's."""
    return next((p for p in descendants(daemon.pid) if p.kind == "decoder" and p.parent == daemon.pid), None)
