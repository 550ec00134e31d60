"""The real command line against a real daemon: exit codes, and nothing but JSON on stdout where JSON was asked for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.conftest import Film, StartDaemon, answers, content_of, job_done, making_daemons
from tools.chaos_kit.daemon import ROOT, Daemon
from tools.chaos_kit.processes import descendants
from tools.chaos_kit.stage import PIPELINE

Films = dict[str, Film]
WINDOWS = 23
"""In a film of 12 s: one of 1 s every half second."""


def vlmd(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`vlmd -c CONFIG …`."""
    command = [sys.executable, "-m", "vlmd", "-c", str(daemon.stage.config), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)


def said(daemon: Daemon, *arguments: str) -> Any:
    """What a command says in JSON; it must go well."""
    ran = vlmd(daemon, *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def refused(daemon: Daemon, code: int, *arguments: str) -> str:
    """The one sentence of a command that must fail with this exit code."""
    ran = vlmd(daemon, *arguments)
    assert ran.returncode == code, ran
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr
    return ran.stderr


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, films: Films) -> Iterator[Daemon]:
    """A daemon with one job, which is done."""
    with making_daemons(tmp_path_factory.mktemp("idle")) as make:
        daemon = make()
        daemon.stage.drop(films["one"].path)
        daemon.start()
        daemon.until(lambda: job_done(daemon), "the job is done")
        yield daemon


def test_retry_takes_answers_over_and_fresh_asks_again(idle: Daemon) -> None:
    before, done = answers(idle), times_done(idle)
    assert said(idle, "retry", "1") == {"job": 1}
    idle.until(lambda: times_done(idle) == done + 1, "the job is done again")
    assert len(idle.stage.asked()) == answers(idle) == before
    assert said(idle, "show", "1")["windows"]["reused"] == WINDOWS
    assert said(idle, "retry", "--fresh", "1") == {"job": 1}
    idle.until(lambda: times_done(idle) == done + 2, "the job is done afresh")
    assert len(idle.stage.asked()) == answers(idle) == before + WINDOWS
    assert said(idle, "show", "1")["windows"]["reused"] == 0


def test_merge_writes_the_result_anew_without_a_question(idle: Daemon, films: Films) -> None:
    result = idle.stage.results / said(idle, "show", "1")["result"]
    asked, done = len(idle.stage.asked()), times_done(idle)
    result.unlink()
    assert said(idle, "merge", "1") == {"job": 1}
    idle.until(lambda: times_done(idle) == done + 1, "the job is merged again")
    assert content_of(result) == films["one"].content
    assert len(idle.stage.asked()) == asked


def test_wait_returns_when_the_job_has_ended(idle: Daemon) -> None:
    done = times_done(idle)
    ran = vlmd(idle, "retry", "1", "--wait")
    assert (ran.returncode, times_done(idle)) == (0, done + 1)
    assert f"one.mp4: done, {WINDOWS} of {WINDOWS} windows" in ran.stderr


def test_lists_are_json_and_nothing_else(idle: Daemon) -> None:
    assert [job["state"] for job in said(idle, "jobs")] == ["done"]
    assert said(idle, "jobs", "--state", "failed") == []
    status = said(idle, "status")
    assert status["jobs"] == {"done": 1}
    assert [device["state"] for device in status["devices"]] == ["idle"]
    shown = said(idle, "show", "1")
    assert (shown["path"], shown["windows"]["answered"]) == (str(idle.stage.inbox / "one.mp4"), WINDOWS)


def test_a_shell_is_offered_the_jobs_there_are(idle: Daemon) -> None:
    words = f"vlmd -c {idle.stage.config} show "
    environment = {**os.environ, "_VLMD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    command = [sys.executable, "-m", "vlmd"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, env=environment)
    assert "plain,1" in ran.stdout.splitlines()
    assert ran.stderr == ""


def test_what_does_not_exist_is_exit_code_4(idle: Daemon) -> None:
    for command in (["show", "99"], ["show", "--so-far", "99"], ["retry", "99"]):
        assert "there is no job 99" in refused(idle, 4, *command)


def test_what_makes_no_sense_is_exit_code_2(idle: Daemon, films: Films) -> None:
    assert "has ended already" in refused(idle, 2, "cancel", "1")
    assert "no pipeline 'nothing'" in refused(idle, 2, "submit", str(films["two"].path), "-p", "nothing")
    assert "Invalid value" in refused(idle, 2, "show", "0")
    assert "No such command" in refused(idle, 2, "frobnicate")
    assert "missing.mp4" in refused(idle, 2, "submit", "/missing.mp4", "-p", PIPELINE)


def test_cancel_and_retry_keep_what_was_answered(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(script={"seconds": 0.1})
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: answers(daemon) >= 4, "some answers are in")
    (worker,) = [process for process in descendants(daemon.pid) if process.kind == "worker"]
    worker.send(signal.SIGSTOP)
    assert "has not ended" in refused(daemon, 2, "retry", "1")
    assert "is not done" in refused(daemon, 2, "merge", "1")
    assert said(daemon, "cancel", "1") == {"job": 1}
    assert said(daemon, "show", "1")["code"] == "cancelled"
    assert not daemon.rows("SELECT 1 FROM windows WHERE state = 'leased'")
    kept = answers(daemon)
    worker.send(signal.SIGCONT)
    daemon.until(lambda: daemon.until_answering()["devices"][0]["windows_held"] == 0, "the worker has left it")
    assert answers(daemon) == kept, "what comes too late counts for nothing"
    assert said(daemon, "retry", "1") == {"job": 1}
    daemon.until(lambda: job_done(daemon), "the job is done after all")
    assert answers(daemon) == WINDOWS
    assert said(daemon, "show", "1")["windows"]["reused"] == kept
    assert content_of(daemon.stage.results / "match" / "one.mp4.json") == films["one"].content


def test_so_far_shows_what_is_there(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(script={"seconds": 0.5})
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: answers(daemon) >= 2, "some answers are in")
    coverage = said(daemon, "show", "--so-far", "1")["coverage"]
    assert 2 <= coverage["answered"] < WINDOWS
    assert coverage["answered"] + coverage["pending"] == WINDOWS
    assert list(daemon.stage.results.rglob("*.json")) == []


def test_submitted_next_comes_before_what_waits(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(window={"step": 2.0})
    daemon.start()
    (worker,) = daemon.until(lambda: descendants(daemon.pid), "there is a worker")
    worker.send(signal.SIGSTOP)
    flags = {"one": [], "two": [], "long": ["--next"]}
    submitted = [said(daemon, "submit", str(films[name].path), "-p", PIPELINE, *more) for name, more in flags.items()]
    assert submitted == [{"job": 1}, {"job": 2}, {"job": 3}]
    daemon.until(lambda: len(daemon.jobs("queued")) == 3, "all are indexed")
    worker.send(signal.SIGCONT)
    daemon.until(lambda: len(daemon.jobs("done")) == 3, "all are done")
    begun = daemon.rows("SELECT job_id FROM leases GROUP BY job_id ORDER BY min(id)")
    assert [row["job_id"] for row in begun] == [3, 1, 2]
    assert list(daemon.stage.inbox.iterdir()) == [], "nothing was copied"


def test_without_a_daemon_verbs_are_exit_code_3_and_lists_come_from_the_database(idle: Daemon) -> None:
    assert idle.stop() == 0
    for command in (["status"], ["retry", "1"]):
        assert "start it with `vlmd run`" in refused(idle, 3, *command)
    assert [job["id"] for job in said(idle, "jobs")] == [1]
    assert said(idle, "show", "1")["state"] == "done"
    assert said(idle, "show", "--result", "1")["coverage"]["answered"] == WINDOWS
    assert "there is no job 99" in refused(idle, 4, "show", "99")
    idle.start()
    idle.until_answering()


def test_a_wrong_config_is_exit_code_78(new_daemon: StartDaemon) -> None:
    daemon = new_daemon(limits={"lease_windoes": 3})
    assert "lease_windoes" in refused(daemon, 78, "run")
    assert "lease_windoes" in refused(daemon, 78, "status")
    daemon.stage.config.unlink()
    assert "there is no such file" in refused(daemon, 78, "jobs")


def times_done(daemon: Daemon) -> int:
    return len(daemon.rows("SELECT 1 FROM transitions WHERE entity = 'job' AND new = 'done'"))


def test_what_the_api_cannot_do_is_a_sentence_and_never_a_trace(idle: Daemon, films: Films) -> None:
    assert "there is no job" in refused(idle, 4, "show", "9" * 30)
    odd = idle.stage.folder / os.fsdecode(b"odd\xff.mp4")
    shutil.copy(films["one"].path, odd)
    assert said(idle, "submit", str(odd), "-p", PIPELINE)["job"] > 1
