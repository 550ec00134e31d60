"""`vlmd try`: a few windows of a video, as a job would cut it, and one sentence where there is nothing to ask."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo_box import DEMO
from vlmd.demo.render import render_match

CONFIG = (
    DEMO
    + """
[pipelines.fast]
model = "demo"
labels = ["Goal", "Kick-off"]
context = ["captions"]
[pipelines.captions]
task = "caption"
model = "demo"
[pipelines.captions.window]
plan = "scenes"
threshold = 8.0
[pipelines.captions.generation]
max_new_tokens = 8
[pipelines.closely]
model = "demo"
labels = ["Goal"]
[pipelines.closely.window]
plan = "spans"
around = "fast"
[pipelines.both]
task = "ensemble"
of = ["fast", "closely"]
[pipelines.choose]
task = "choice"
model = "demo"
constrained = true
"""
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("try")
    (folder / "config.toml").write_text(CONFIG)
    render_match(folder / "film.mp4", 40_001, 16)
    return folder


def tried(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vlmd", "-c", "config.toml", "try", *words]
    return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120)


def test_scenes_are_looked_for_and_some_of_them_asked(here: Path) -> None:
    ran = tried(here, "captions", "film.mp4", "--windows", "3", "--json")
    assert ran.returncode == 0, ran.stderr
    spans = [(one["start_s"], one["end_s"]) for one in json.loads(ran.stdout)]
    assert len(spans) == 3 and all(end - start < 8 for start, end in spans)
    assert "3 of 3 windows answered" in ran.stderr
    assert not (here / "state" / "vlmd.db").exists()


def test_what_others_would_find_is_missing_and_that_is_told(here: Path) -> None:
    ran = tried(here, "fast", "film.mp4", "--windows", "1")
    assert ran.returncode == 0 and "asked without what captions would find" in ran.stderr
    assert ran.stdout.startswith("0:00 to 0:03: ")


def test_a_choice_shows_what_every_letter_is_worth(here: Path) -> None:
    ran = tried(here, "choose", "film.mp4", "--windows", "1", "--question", "?", "--choice", "red", "--choice", "blue")
    assert ran.returncode == 0, ran.stderr
    assert "1 of 1 window answered" in ran.stderr and " B 0." in ran.stdout.splitlines()[-1]


@pytest.mark.parametrize(("pipeline", "told"), [
    ("both", "pipeline both asks no model: it merges what fast, closely find"),
    ("closely", "pipeline closely looks only around what fast finds, and nothing is found here"),
    ("choose", "pipeline choose asks of each video what it brings, and it has no choices"),
    ("other", "there is no pipeline 'other'"),
])  # fmt: skip
def test_where_there_is_nothing_to_ask_that_is_one_sentence(here: Path, pipeline: str, told: str) -> None:
    ran = tried(here, pipeline, "film.mp4")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert told in ran.stderr and "Traceback" not in ran.stderr
