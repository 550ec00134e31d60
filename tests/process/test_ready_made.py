"""The pipelines that config.toml brings along, each from a dropped video to its outputs, on tiny models."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import webvtt

from tests.core.test_config import SHIPPED, uncommented
from tests.models.checkpoints import shared_checkpoint, shared_folder
from vlmd.config.toml import as_toml
from vlmd.demo.render import render_match

TINY = {
    "idefics2": "idefics2",
    "llava-mistral": "llava-mistral",
    "llava-vicuna": "llava-vicuna",
    "qwen": "qwen2.5-vl-7b",
    "gemma": "gemma3n",
    "internvl": "internvl",
    "instructblip": "instructblip",
    "phi": "phi3v",
}
"""Models of the shipped file, and the checkpoints that stand for them."""
PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
"""Whoever asked the network would not get far."""
BOX = {
    "paths": {"inbox": "inbox", "results": "results", "state": "state"},
    "devices": {"use": ["cpu"]},
    "inbox": {"settle_seconds": 0.3},
}
SEASON = Path("england_epl/2015-2016/2015-08-16 - 18-00 City 3 - 0 Town")
WHOLE = ("soccer-idefics2", "soccer-llava", "soccer-qwen")


@dataclass
class Run:
    """A folder where a daemon has done all it had to do."""

    folder: Path

    def result(self, pipeline: str, name: str = "film.mp4") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output(pipeline, name, "json").read_text())
        coverage = found["coverage"]
        assert coverage["answered"] == coverage["windows"], found["failed_windows"]
        return found

    def output(self, pipeline: str, name: str, suffix: str) -> Path:
        return self.folder / "results" / pipeline / f"{name}.{suffix}"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render_match(path, 40_001, 16)
    return path


def shipped(pipelines: tuple[str, ...], base: Path, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """The shipped file with these pipelines switched on, and what they need, on tiny models."""
    data = tomllib.loads(uncommented(SHIPPED.read_text()))
    wanted, every = list(pipelines), data["pipelines"]
    for name in wanted:
        wanted += [*every[name].get("context", []), *every[name].get("of", [])]
    chosen = {name: every[name] for name in dict.fromkeys(wanted)}
    for name, pipeline in chosen.items():
        pipeline.get("window", {}).pop("around", None)
        pipeline.pop("videos", None)
        for key, value in changes.get(name, changes.get("*", {})).items():
            section, _, inner = key.rpartition(".")
            (pipeline.setdefault(section, {}) if section else pipeline)[inner] = value
    used = {pipeline["model"] for pipeline in chosen.values() if "model" in pipeline}
    models = {name: {"path": str(shared_checkpoint(base, TINY[name])), "precision": "fp32"} for name in used}
    return as_toml({**BOX, "models": models, "pipelines": chosen}, lambda keys: None)


def run(folder: Path, config: str, film: Path, *dropped: str) -> Run:
    (folder / "config.toml").write_text(config)
    for name in dropped:
        (folder / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(film, folder / "inbox" / name)
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(folder / "config.toml"), "run", "--once"]
    environment = {**os.environ, **PROXIES}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr
    return Run(folder)


@pytest.mark.timeout(300)
def test_three_soccer_pipelines_and_their_ensemble(
    film: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One video is dropped for the ensemble; everything else comes by itself."""
    changes = {"*": {"window.step": 8.0, "generation.max_new_tokens": 48}}
    config = shipped(("soccer-ensemble",), shared_folder(tmp_path_factory), changes | _contexts())
    done = run(tmp_path, config, film, f"soccer-ensemble/{SEASON}/1_720p.mp4")
    name = f"{SEASON}/1_720p.mp4"
    for pipeline in WHOLE:
        found = done.result(pipeline, name)
        assert found["coverage"]["windows"] == 2
        context = done.result(pipeline.replace("soccer", "match"), name)["texts"]
        assert found["recipe"]["prompt"].startswith(context[0]["text"][:20] if context else "\n")
        assert found["answers"]["unparseable"] == 0, found["unparseable_windows"]
        assert len(list(csv.DictReader(done.output(pipeline, name, "csv").open()))) == len(found["events"])
    found = done.result("soccer-ensemble", name)
    seen = sum(len(event["evidence"]) for event in found["events"])
    assert seen == sum(len(done.result(pipeline, name)["events"]) for pipeline in WHOLE)


def _contexts() -> dict[str, dict[str, Any]]:
    return {f"match-{name}": {"generation.max_new_tokens": 12} for name in ("idefics2", "llava", "qwen")}


@pytest.mark.timeout(300)
def test_a_caption_of_every_scene_by_four_models(
    film: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = ("scenes-instructblip", "scenes-llava-vicuna", "scenes-llava-mistral", "scenes-phi")
    changes = {"*": {"window.threshold": 8.0, "generation.max_new_tokens": 12}}
    config = shipped(names, shared_folder(tmp_path_factory), changes)
    done = run(tmp_path, config, film, *(f"{name}/film.mp4" for name in names))
    scenes = {name: done.result(name)["coverage"]["windows"] for name in names}
    assert len(set(scenes.values())) == 1 and scenes["scenes-phi"] > 1
    for name in names:
        captions = done.result(name)["captions"]
        assert len(webvtt.read(str(done.output(name, "film.mp4", "vtt")))) == len(captions)
        assert len(re.findall(" --> ", done.output(name, "film.mp4", "srt").read_text())) == len(captions)


@pytest.mark.timeout(300)
def test_questions_about_exercises_and_roads(
    film: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = ("physio-gemma", "roadbuddy-internvl")
    changes = {"physio-gemma": {"generation.max_new_tokens": 12}, "roadbuddy-internvl": {"question": "Đèn gì?"}}
    done = run(
        tmp_path, shipped(names, shared_folder(tmp_path_factory), changes), film, *(f"{one}/film.mp4" for one in names)
    )
    physio, road = done.result("physio-gemma"), done.result("roadbuddy-internvl")
    assert physio["task"]["name"] == "feedback" and physio["coverage"]["windows"] == 1
    assert len(physio["recipe"]["prompt"]) > 10 and physio["recipe"]["generation"]["temperature"] == 0.1
    assert road["choice"]["answer"] in ("A", "B") and road["choice"]["reason"] is None
    assert "Đèn gì?" in road["recipe"]["prompt"] and road["answers"]["unparseable"] == 0
