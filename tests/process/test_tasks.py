"""Every task and every window plan through the real daemon: a video is dropped once for each, and results lie there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.demo_box import DEMO
from vlmd.demo.render import render_match

CONFIG = (
    DEMO
    + """
[pipelines.events]
model = "demo"
labels = ["Goal", "Yellow card", "Red card", "Substitution", "Kick-off"]
constrained = true

[pipelines.captions]
task = "caption"
model = "demo"
[pipelines.captions.window]
plan = "scenes"
threshold = 8.0
[pipelines.captions.generation]
max_new_tokens = 12

[pipelines.scenes-again]
task = "text"
model = "demo"
question = "What do you see from {start}?"
constrained = true
[pipelines.scenes-again.window]
plan = "scenes"
threshold = 8.0
[pipelines.scenes-again.generation]
max_new_tokens = 12

[pipelines.choices]
task = "choice"
model = "demo"
question = "What is it?"
choices = ["a match", "a concert", "a lecture"]
constrained = true
[pipelines.choices.window]
plan = "whole"
frames = 6

[pipelines.exercise]
task = "feedback"
model = "demo"
question = "What is it?"
constrained = true
[pipelines.exercise.window]
plan = "spans"
min_frames = 2
max_frames = 9
fps = 1.0
[pipelines.exercise.generation]
max_new_tokens = 200
"""
)
PIPELINES = ["events", "captions", "scenes-again", "choices", "exercise"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a daemon has run over one match in every pipeline."""
    folder = tmp_path_factory.mktemp("tasks")
    film = folder / "match.mp4"
    render_match(film, 40_001, 15)
    (folder / "config.toml").write_text(CONFIG)
    for name in PIPELINES:
        (folder / "inbox" / name).mkdir(parents=True)
        os.link(film, folder / "inbox" / name / "match.mp4")
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(folder / "config.toml"), "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


def result(folder: Path, pipeline: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results" / pipeline / "match.mp4.json").read_text())
    assert found["coverage"]["answered"] == found["coverage"]["windows"] > 0, found["failed_windows"]
    return found


def test_events_that_are_held_to_their_form_need_no_repair(folder: Path) -> None:
    found = result(folder, "events")
    answers = found["answers"]
    assert answers["events"] + answers["none"] == found["coverage"]["windows"]
    assert (answers["repaired"], answers["unparseable"], answers["problems"]) == (0, 0, {})
    assert found["events"] and found["recipe"]["grammar"]


def test_every_scene_has_its_caption(folder: Path) -> None:
    found = result(folder, "captions")
    assert len(found["captions"]) == found["coverage"]["windows"] > 1
    ends = [caption["end_s"] for caption in found["captions"]]
    assert [0.0, *ends[:-1]] == [caption["start_s"] for caption in found["captions"]]
    assert ends[-1] == found["video"]["duration_s"]
    assert all(caption["text"] and 0 < caption["confidence"] <= 1 for caption in found["captions"])


def test_a_second_pipeline_has_the_same_scenes(folder: Path) -> None:
    spans = [[(one["start_s"], one["end_s"]) for one in result(folder, name)[key]]
             for name, key in (("captions", "captions"), ("scenes-again", "texts"))]  # fmt: skip
    assert spans[0] == spans[1]


def test_a_choice_is_the_most_probable_letter(folder: Path) -> None:
    found = result(folder, "choices")
    choice = found["choice"]
    assert found["coverage"]["windows"] == 1 and found["recipe"]["options"] == ["A", "B", "C"]
    assert choice["answer"] == max(choice["probabilities"], key=choice["probabilities"].get)
    assert choice["text"] == ["a match", "a concert", "a lecture"][choice["index"]]
    assert sum(choice["probabilities"].values()) == pytest.approx(1, abs=1e-3) and choice["reason"] is None
    assert found["run"]["new_tokens"] <= 2


def test_feedback_has_a_name_and_a_video_without_moments_is_looked_at_as_a_whole(folder: Path) -> None:
    (feedback,) = result(folder, "exercise")["feedback"]
    assert feedback["name"] and feedback["text"]
    assert (feedback["start_s"], feedback["end_s"]) == (0.0, 15.0)
