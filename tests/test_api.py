"""vlmd from Python: run, read, connect."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vlmd
from vlmd.core.errors import ConfigError, UsageError, VlmdError
from vlmd.demo.render import render_match

CONFIG = """
[paths]
inbox = "inbox"
results = "results"
state = "state"

[devices]
use = ["cpu"]

[models.demo]
path = "vlmd-demo"
frame_edge = 160

[pipelines.match]
model = "demo"
labels = ["Goal", "Yellow card", "Red card", "Substitution", "Kick-off"]

[pipelines.quiz]
task = "choice"
model = "demo"
constrained = true
[pipelines.quiz.window]
plan = "whole"
frames = 4

[pipelines.late]
model = "demo"
labels = ["Goal"]
[pipelines.late.window]
from = 900.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    render_match(folder / "match.mp4", 40_001, 9)
    (folder / "config.toml").write_text(CONFIG)
    return folder


def test_a_video_is_asked_from_python_also_in_a_notebook_and_nothing_is_left(folder: Path) -> None:
    async def cell() -> object:
        return vlmd.run(folder / "match.mp4", "match", folder / "config.toml")

    before = sorted(folder.iterdir())
    result = asyncio.run(cell())
    assert [event.label for event in result.events] and all(0 < event.confidence <= 1 for event in result.events)
    assert (result.pipeline, result.coverage["answered"], result.doubts) == ("match", 4, [])
    assert sorted(folder.iterdir()) == before


def test_a_question_comes_along(folder: Path) -> None:
    choices = ("a match", "a concert")
    result = vlmd.run(folder / "match.mp4", "quiz", folder / "config.toml", question="What is it?", choices=choices)
    assert result.choice is not None and result.choice.text in choices and result.events == []
    assert result.document["inputs"]["question"] == "What is it?"


def test_what_cannot_be_answered_says_why(folder: Path) -> None:
    config = folder / "config.toml"
    with pytest.raises(
        VlmdError, match="the video ends at 9 s, and looking was to begin at 900 s; the pipeline's from/until"
    ):
        vlmd.run(folder / "match.mp4", "late", config)
    with pytest.raises(UsageError, match="there is no pipeline 'soccer'; there is late, match, quiz"):
        vlmd.run(folder / "match.mp4", "soccer", config)
    with pytest.raises(VlmdError, match="file-missing"):
        vlmd.run(folder / "nothing.mp4", "match", config)
    with pytest.raises(ConfigError):
        vlmd.run(folder / "match.mp4", "match", folder / "nothing.toml")


def test_a_running_daemon_is_asked_and_its_results_are_read(folder: Path) -> None:
    config = folder / "config.toml"
    with pytest.raises(VlmdError, match="no daemon answers"):
        vlmd.connect(config)
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(config), "run", "-q"]
    with subprocess.Popen(command) as daemon:
        try:
            connection = connected(config)
            job = connection.submit(folder / "match.mp4", "match")
            result = connection.wait(job, 120)
            late = connection.submit(folder / "match.mp4", "late")
            with pytest.raises(VlmdError, match=f"job {late} has failed: the video ends at 9 s"):
                connection.wait(late, 60)
            quiz = connection.submit(folder / "match.mp4", "quiz", question="What?", choices=["a match", "a concert"])
            assert connection.wait(quiz, 60).choice is not None
            with pytest.raises(VlmdError, match="asks of each video what it brings"):
                connection.submit(folder / "match.mp4", "quiz")
            assert submitted(config, folder / "quiz.json") == (0, "1 samples have a job")
            assert connection.status()["jobs"].pop("failed") == 1
        finally:
            daemon.terminate()
    assert vlmd.read(folder / "results" / "match" / "match.mp4.json").events == result.events


def submitted(config: Path, manifest: Path) -> tuple[int, str]:
    """`vlmd submit --limit 1` of a manifest with two samples."""
    samples = [{"video": "match.mp4", "question": question, "choices": ["a", "b"]} for question in ("One?", "Two?")]
    manifest.write_text(json.dumps(samples))
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(config), "submit", str(manifest)]
    done = subprocess.run([*command, "-p", "quiz", "--limit", "1"], capture_output=True, text=True)
    return done.returncode, done.stderr.partition(";")[0]


def connected(config: Path) -> vlmd.api.Connection:
    deadline = time.monotonic() + 30
    while True:
        try:
            return vlmd.connect(config)
        except VlmdError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_what_is_no_result_is_told(folder: Path) -> None:
    with pytest.raises(UsageError, match="is no JSON"):
        vlmd.read(folder / "config.toml")


def test_importing_vlmd_costs_nothing() -> None:
    code = (
        "import sys, vlmd; vlmd.__version__; print({'msgspec', 'torch', 'pydantic', 'vlmd.api'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
