"""Families through the real daemon: a video is dropped, a result lies there, and nothing but the model was tiny.

Those of the shipped pipelines are in `test_ready_made`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import MAKERS

from tests.models.checkpoints import shared_checkpoint, shared_folder
from tests.process.test_ready_made import PROXIES, TINY
from vlmd.core.families import FAMILIES, family_name
from vlmd.demo.render import render_match

CONFIG = """
[paths]
inbox = "inbox"
results = "results"
state = "state"

[devices]
use = ["cpu"]

[inbox]
settle_seconds = 0.3

[models.it]
path = "{path}"
max_batch = 4

[pipelines.match]
model = "it"
labels = ["Goal", "Corner"]

[pipelines.match.window]
length = 1.0
step = 0.5
fps = 4.0
"""
ELSEWHERE = {*TINY.values(), "qwen2.5-vl-3b", "qwen3-vl-8b"}
"""Those of `test_ready_made`, and sizes of a family that differ in nothing a daemon could see."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "match.mp4"
    render_match(path, 1, 3, fps=5)
    return path


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in ELSEWHERE])
def test_a_dropped_video_gets_its_result(
    name: str, film: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkpoint = shared_checkpoint(shared_folder(tmp_path_factory), name)
    (tmp_path / "config.toml").write_text(CONFIG.format(path=checkpoint))
    (tmp_path / "inbox" / "match").mkdir(parents=True)
    os.link(film, tmp_path / "inbox" / "match" / "match.mp4")
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(tmp_path / "config.toml"), "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **PROXIES})
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "results" / "match" / "match.mp4.json").read_text())
    assert result["coverage"]["windows"] == result["coverage"]["answered"] == 5, result["failed_windows"]
    architecture = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    assert architecture in FAMILIES
    assert result["recipe"]["family"] == family_name(architecture)


def test_every_family_goes_through_the_daemon_somewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = shared_folder(tmp_path_factory)
    served = {name for name in MAKERS if name not in ELSEWHERE} | set(TINY.values())
    configs = [json.loads((shared_checkpoint(folder, name) / "config.json").read_text()) for name in served]
    assert {family_name(config["architectures"][0]) for config in configs} == set(map(family_name, FAMILIES))
