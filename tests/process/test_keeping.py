"""Forgetting and the doctor, through the real command line."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.process.conftest import Film, StartDaemon, job_done, result_of
from tests.process.test_command_line import refused, said, vlmd
from tools.chaos_kit.daemon import ROOT, Daemon
from vlmd.demo.stage import set_up

Films = dict[str, Film]


def age(daemon: Daemon) -> None:
    """Let everything in the database have happened long ago."""
    connection = sqlite3.connect(daemon.stage.database)
    connection.execute("UPDATE jobs SET finished_at = 1")
    connection.execute("DROP TRIGGER answers_fixed")
    connection.execute("UPDATE answers SET answered_at = 1")
    connection.execute(
        "CREATE TRIGGER answers_fixed BEFORE UPDATE ON answers"
        " BEGIN SELECT RAISE(ABORT, 'answers are never changed'); END"
    )
    connection.commit()
    connection.close()


def forgotten(document: dict[str, Any]) -> list[int]:
    return [document["forgotten"][name] for name in ("jobs", "windows", "answers")]


def test_old_jobs_are_forgotten_with_a_daemon_and_without(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(retention={"answers_days": "forever"})
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: job_done(daemon), "the job is done")
    assert forgotten(said(daemon, "gc")) == [0, 0, 0], "nothing is old yet"
    assert daemon.stop() == 0
    age(daemon)
    promised = said(daemon, "gc", "--dry-run")
    assert promised["dry_run"] and forgotten(promised) == [1, 23, 0]
    daemon.start()
    daemon.until_answering()
    assert forgotten(said(daemon, "gc", "--dry-run")) == [1, 23, 0]
    assert forgotten(said(daemon, "gc")) == [1, 23, 0]
    assert "there is no job 1" in refused(daemon, 4, "show", "1")
    assert result_of(daemon.stage, "one.mp4").exists(), "results are the user's"
    daemon.until(lambda: daemon.until_answering()["inbox"]["looks"] >= 2, "the inbox was looked through")
    assert daemon.jobs() == [], "the video still lies there, and is not taken for new"
    assert said(daemon, "submit", str(films["one"].path), "-p", "match") == {"job": 2}
    daemon.until(lambda: job_done(daemon, 2), "the same video is done")
    assert said(daemon, "show", "2")["windows"]["reused"] == 23
    assert daemon.stop() == 0
    age(daemon)
    text = daemon.stage.config.read_text()
    daemon.stage.config.write_text(text.replace('answers_days = "forever"', "answers_days = 1"))
    last = said(daemon, "gc")
    assert forgotten(last) == [1, 23, 23] and last["free_bytes"] < last["database_bytes"] / 4


def test_gc_says_what_it_does(new_daemon: StartDaemon) -> None:
    daemon = new_daemon()
    assert vlmd(daemon, "gc").stdout == "forgotten: nothing; 0 B\n"
    daemon.start()
    daemon.until_answering()
    assert vlmd(daemon, "gc", "--dry-run").stdout == "would be forgotten: nothing; about 0 B\n"
    assert "makes the file smaller" in vlmd(daemon, "gc").stderr


def test_the_doctor_finds_the_demo_in_order(tmp_path: Path) -> None:
    stage = set_up(tmp_path / "demo", workers=1)
    (tmp_path / "demo" / "state").mkdir(mode=0o700)
    command = [sys.executable, "-m", "vlmd", "-c", str(stage.config), "doctor", "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    document = json.loads(ran.stdout)
    levels = {check["check"]: check["level"] for check in document["checks"]}
    assert ran.returncode == 0 and document["ok"], ran.stdout
    for check in ("config", "python", "state", "database", "model demo", "ffmpeg", "torch", "driver"):
        assert levels[check] == "ok", ran.stdout
    assert all(check["remedy"] for check in document["checks"] if check["level"] != "ok")


def test_the_doctor_tells_every_mistake_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[retention]\njobs_days = 0\nanswers_days = 'ever'\n")
    command = [sys.executable, "-m", "vlmd", "-c", str(config), "doctor"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stdout.count("fail  config:") == 2 and 'or "forever", not' in ran.stdout
