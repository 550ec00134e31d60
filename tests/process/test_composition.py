"""Pipelines that need each other, through the real daemon: context, cascade, ensemble; changed, failed, killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.demo_box import DEMO
from vlmd.demo.render import render_match

CONFIG = (
    DEMO
    + """
[pipelines.who]
task = "choice"
model = "demo"
question = "{question}"
choices = ["red and blue", "black and white"]
constrained = true
[pipelines.who.window]
from = {from_}
until = {until}
length = 0.2
step = 0.2

[pipelines.fast]
model = "demo"
labels = ["Goal", "Yellow card", "Red card", "Substitution", "Kick-off"]
[pipelines.fast.window]
step = 3.0

[pipelines.told]
model = "demo"
context = ["who"]
labels = ["Goal", "Yellow card", "Red card", "Substitution", "Kick-off"]
[pipelines.told.window]
step = 3.0

[pipelines.closely]
model = "demo"
labels = ["Goal", "Yellow card", "Red card", "Substitution", "Kick-off"]
[pipelines.closely.window]
plan = "spans"
around = "fast"
frames = 15

[pipelines.both]
task = "ensemble"
of = ["fast", "told"]
outputs = ["json", "csv"]
"""
)


class Box:
    """A folder with a configuration, an inbox and what comes of it."""

    def __init__(self, folder: Path, film: Path) -> None:
        self.folder, self._film = folder, film
        self.configure()

    def configure(self, question: str = "Which colours?", moment: float = 2.0) -> None:
        text = CONFIG.replace("{question}", question).replace("{from_}", str(moment))
        (self.folder / "config.toml").write_text(text.replace("{until}", str(moment + 0.2)))

    def drop(self, pipeline: str) -> None:
        inbox = self.folder / "inbox" / pipeline
        inbox.mkdir(parents=True, exist_ok=True)
        os.link(self._film, inbox / "match.mp4")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "vlmd", "--config", str(self.folder / "config.toml"), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*(words or ("run", "--once"))), capture_output=True, text=True, timeout=240)

    def until(self, happened: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 120
        while not happened():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    def result(self, pipeline: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "results" / pipeline / "match.mp4.json").read_text())
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "state" / "vlmd.db") as db:
            return db.execute(query).fetchall()

    def jobs(self) -> dict[str, str]:
        return dict(self.rows("SELECT pipeline, state FROM jobs ORDER BY id"))

    def answers(self) -> dict[str, int]:
        """By the first line of the prompt: what was asked so far."""
        rows = self.rows("SELECT body FROM answers JOIN recipes ON digest = asked")
        prompts = [json.loads(body)["prompt"].splitlines()[0] for (body,) in rows]
        return {prompt: prompts.count(prompt) for prompt in prompts}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "match.mp4"
    render_match(path, 40_001, 15)
    return path


@pytest.fixture
def box(tmp_path: Path, film: Path) -> Box:
    return Box(tmp_path, film)


def test_everything_that_is_needed_comes_by_itself_and_once(box: Box) -> None:
    for pipeline in ("both", "closely"):
        box.drop(pipeline)
    done = box.run()
    assert done.returncode == 0, done.stderr
    assert box.jobs() == dict.fromkeys(["both", "closely", "fast", "told", "who"], "done")
    who, fast, told = (box.result(name) for name in ("who", "fast", "told"))
    assert told["recipe"]["prompt"].startswith(f"{who['choice']['answer']}. {who['choice']['text']}\nThese")
    assert [one["pipeline"] for one in told["needs"]] == ["who"] and fast["needs"] == []
    closely = box.result("closely")
    spans = [(one["start_s"], one["end_s"]) for one in fast["events"]]
    assert 0 < closely["coverage"]["windows"] <= len(spans)
    assert closely["coverage"]["seen_s"] < fast["coverage"]["seen_s"] or len(spans) > 3
    both = box.result("both")
    assert {name for event in both["events"] for name in event["models"]} <= {"fast", "told"}
    assert sum(len(event["evidence"]) for event in both["events"]) == len(fast["events"]) + len(told["events"])
    table = box.folder / "results" / "both" / "match.mp4.csv"
    assert table.read_text()
    table.unlink()
    with subprocess.Popen(box.command("run", "-q"), stderr=subprocess.DEVNULL) as daemon:
        box.until(lambda: box.run("merge", "1").returncode == 0, "the daemon takes it")
        box.until(table.exists, "it is merged anew, though it has no windows")
        daemon.terminate()


def test_a_changed_question_is_asked_again_with_what_depends_on_it_and_nothing_else(box: Box) -> None:
    box.drop("both")
    assert box.run().returncode == 0
    before, told = box.answers(), box.result("told")
    assert box.run("retry", "1").returncode != 0  # no daemon
    for question in ("Who is it, then?", "Say it in another way."):
        box.configure(question)
        with subprocess.Popen(box.command("run", "-q"), stderr=subprocess.DEVNULL) as daemon:
            retried(box)
            daemon.terminate()
        if box.result("told")["recipe"]["prompt"] != told["recipe"]["prompt"]:
            break
    after = box.answers()
    same_context = box.result("told")["recipe"]["prompt"] == told["recipe"]["prompt"]
    assert sum(after.values()) > sum(before.values())
    plain = next(prompt for prompt in before if prompt.startswith("These pictures are one"))
    assert after[plain] == before[plain], "the pipeline without context was asked again"
    who = "These pictures are a video, in order."
    assert after[who] > before[who], "the changed question was not asked"
    if same_context:
        assert {prompt: count for prompt, count in after.items() if prompt != who} == {
            prompt: count for prompt, count in before.items() if prompt != who
        }


def waits(box: Box) -> bool:
    """Whether a job waits for another one by now."""
    try:
        return "waiting" in box.jobs().values()
    except sqlite3.OperationalError:  # there is no database yet
        return False


def retried(box: Box) -> None:
    """Take the ensemble up again, and wait until everything is done."""
    deadline = time.monotonic() + 120
    while box.run("retry", "1").returncode:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    while set(box.jobs().values()) != {"done"}:
        assert time.monotonic() < deadline, box.jobs()
        time.sleep(0.3)


def test_a_need_that_fails_fails_what_waits_for_it_by_name_and_a_retry_goes_on(box: Box) -> None:
    box.configure(moment=900.0)
    box.drop("told")
    assert box.run().returncode == 1
    assert box.jobs() == {"told": "failed", "who": "failed"}
    ((code, reason),) = box.rows("SELECT code, reason FROM jobs WHERE pipeline = 'told'")
    assert code == "need-failed" and reason.startswith("it needs who, whose job 2 has failed: the video ends at 15 s")


def test_a_daemon_that_is_killed_while_jobs_wait_goes_on_where_it_was(box: Box) -> None:
    box.drop("both")
    daemon = subprocess.Popen(box.command("run", "-q"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not waits(box):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    assert box.run().returncode == 0
    assert set(box.jobs().values()) == {"done"}
