"""Questions that come with videos: a sidecar, manifests, held videos; through the real daemon."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.demo_box import DEMO
from vlmd.demo.render import render_match
from vlmd.store import reader, views

CONFIG = (
    DEMO
    + """
[pipelines.road]
task = "choice"
model = "demo"
constrained = true
videos = "archive"
[pipelines.road.window]
plan = "spans"
frames = 4

[pipelines.match]
model = "demo"
labels = ["Goal", "Kick-off"]
"""
)
CHOICES = ["A. red", "B. green", "C. blue"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render_match(path, 40_001, 5)
    return path


@pytest.fixture
def box(tmp_path: Path, film: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    for folder in ("inbox/road/clips", "inbox/match", "archive/deep"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def run(box: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(box / "config.toml"), "run", "--once"]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def rows(box: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(box / "state" / "vlmd.db") as db:
        return db.execute(query).fetchall()


def result(box: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((box / "results" / f"{name}.json").read_text())
    return found


def test_a_manifest_asks_of_videos_wherever_they_lie_and_names_what_is_missing(box: Path, film: Path) -> None:
    for place in ("inbox/road/clips/one.mp4", "archive/deep/two.mp4"):
        os.link(film, box / place)
    samples = [
        {"id": "t1", "question": "Which?", "choices": CHOICES, "video_path": "clips/one.mp4", "support_frames": [2.0]},
        {"id": "t2", "question": "And now?", "choices": CHOICES, "video_path": "clips/one.mp4"},
        {"id": "t3", "question": "Which?", "choices": CHOICES, "video_path": "elsewhere/two.mp4"},
        {"id": "t4", "question": "Which?", "choices": CHOICES, "video_path": "/etc/passwd"},
        {"id": "t5", "question": "Which?", "choices": CHOICES, "video_path": "../../outside.mp4"},
        {"id": "t6", "question": "Which?", "choices": ["A. one"], "video_path": "clips/one.mp4"},
    ]
    (box / "outside.mp4").write_bytes(film.read_bytes())
    (box / "inbox/road/test.json").write_text(json.dumps(samples))
    done = run(box)
    assert done.returncode == 1
    assert "sample 6: its choices are not 2 to 26 texts" in done.stderr
    assert "2 of 5 videos are missing: /etc/passwd, ../../outside.mp4" in done.stderr
    assert rows(box, "SELECT name, state FROM jobs ORDER BY id") == [
        ("one.mp4 (t1)", "done"), ("one.mp4 (t2)", "done"), ("two.mp4 (t3)", "done")]  # fmt: skip
    first, second = result(box, "road/test/t1"), result(box, "road/test/t2")
    assert (first["coverage"]["seen_s"], second["coverage"]["seen_s"]) == (1.0, 5.0)
    assert first["inputs"]["timestamps_s"] == [2.0] and first["choice"]["text"] in ("red", "green", "blue")
    assert "And now?\nA. red\nB. green\nC. blue\n" in second["recipe"]["prompt"]
    assert [line.split(",") for line in (box / "results/road/test.csv").read_text().split()] == [
        ["id", "answer"], ["t1", first["choice"]["answer"]], ["t2", second["choice"]["answer"]],
        ["t3", result(box, "road/test/t3")["choice"]["answer"]], ["t4", ""], ["t5", ""], ["t6", ""]]  # fmt: skip
    listed = result(box, "road/test")["samples"]
    assert [(one["state"], one["result"]) for one in listed[2:4]] == [("done", "road/test/t3.json"), ("missing", None)]
    assert (listed[5]["id"], listed[5]["reason"]) == ("t6", "its choices are not 2 to 26 texts")
    assert run(box).returncode == 1 and len(rows(box, "SELECT 1 FROM jobs")) == 3, "nothing was asked twice"


def test_a_sidecar_asks_of_its_own_video_in_either_order_and_a_video_alone_waits(box: Path, film: Path) -> None:
    for name in ("first.mp4", "second.mp4", "alone.mp4"):
        os.link(film, box / "inbox/road" / name)
    sidecar = json.dumps({"question": "Which?", "choices": ["red", "green"]})
    (box / "inbox/road/first.mp4.json").write_text(sidecar)
    assert run(box).returncode == 0
    assert rows(box, "SELECT name, state FROM jobs") == [("first.mp4", "done")]
    with reader.snapshot(box / "state" / "vlmd.db") as db:
        held = views.queue_status(db)["held"]
    assert held["videos"] == 2 and any(path.endswith("road/alone.mp4") for path in held["first"])
    (box / "inbox/road/second.json").write_text(sidecar)
    assert run(box).returncode == 0
    assert rows(box, "SELECT name, state FROM jobs") == [("first.mp4", "done"), ("second.mp4", "done")]
    assert result(box, "road/second.mp4")["choice"]["answer"] in ("A", "B")


def test_moments_outside_the_video_fail_their_sample_by_name(box: Path, film: Path) -> None:
    os.link(film, box / "inbox/road/first.mp4")
    asked = {"question": "Which?", "choices": ["red", "green"], "timestamps": [99]}
    (box / "inbox/road/first.mp4.json").write_text(json.dumps(asked))
    assert run(box).returncode == 1
    ((code, reason),) = rows(box, "SELECT code, reason FROM jobs")
    assert (code, reason) == ("outside-video", "99 s lies outside the video, which lasts 5 s")
