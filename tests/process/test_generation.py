"""Settings of generation through the whole daemon: what is drawn is drawn again, whatever windows lie together."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vlmd.demo.render import render_match
from vlmd.demo.stage import PIPELINE, set_up

VLMD = [sys.executable, "-P", "-m", "vlmd"]
HOT = {"temperature": 2.5, "max_new_tokens": 30}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "match.mp4"
    render_match(path, 7, 12)
    return path


def result_of(folder: Path, film: Path, batch: int, **generation: float) -> dict[str, Any]:
    """All of a result but what another run has otherwise."""
    stage = set_up(folder, workers=1)
    inbox = folder / "inbox" / PIPELINE
    inbox.mkdir(parents=True)
    shutil.copy(film, inbox)
    sets = [f"models.demo.max_batch={batch}"]
    sets += [f"pipelines.{PIPELINE}.generation.{key}={value}" for key, value in generation.items()]
    options = [word for pair in sets for word in ("--set", pair)]
    command = [*VLMD, "--config", str(stage.config), *options, "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(stage.result(film.name).read_text())
    assert result["coverage"]["failed"] == 0
    assert result.pop("run")
    return result


def test_drawn_answers_are_the_same_in_other_batches_and_others_with_another_seed(film: Path, tmp_path: Path) -> None:
    together = result_of(tmp_path / "8", film, 8, **HOT)
    assert result_of(tmp_path / "1", film, 1, **HOT) == together
    other = result_of(tmp_path / "seed", film, 8, seed=1, **HOT)
    assert said(other) != said(together)
    assert together["recipe"]["generation"]["temperature"] == 2.5


def said(result: dict[str, Any]) -> list[Any]:
    return [result["events"], [window["text"] for window in result["unparseable_windows"]]]


def test_beams_through_the_daemon(film: Path, tmp_path: Path) -> None:
    result = result_of(tmp_path, film, 8, beams=3, min_new_tokens=2)
    assert result["recipe"]["generation"]["beams"] == 3
    assert result["events"]
