"""The pipelines that config.toml brings along, on tiny models: every command of their pages in the README is typed."""

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
from vlmd.demo.game import plan_match
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
README = Path(__file__).parents[2] / "README.md"
GAME = Path("england_epl/2015-2016/2015-08-16 - 18-00 City 3 - 0 Town")
WHOLE = ("soccer-idefics2", "soccer-llava", "soccer-qwen")
SEED, SECONDS = 40_001, 16


@dataclass
class Home:
    """Somebody's home, with a configuration, where the README's commands are typed."""

    folder: Path

    def typed(self, page: str) -> str:
        """Every command of a page, in order; returns what they said. A daemon is waited for, as people do."""
        found = re.search(rf"(?ms)^### {page}[^\n]*\n(.*?)^##", README.read_text())
        assert found, f"the README has no page {page}"
        commands = "".join(re.findall(r"(?ms)^```\n(.*?)^```$", found[1]))
        commands = "trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n" + commands.replace(
            "vlmd run &\n", "vlmd run & until vlmd status; do sleep 0.2; done >&2\n"
        )
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, **PROXIES, "HOME": str(self.folder), "PATH": path}
        ran = subprocess.run(["bash", "-e", "-c", commands], capture_output=True, text=True, timeout=280,
                             env=environment, cwd=self.folder)  # fmt: skip
        assert ran.returncode == 0, f"{commands}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def write(self, name: str, content: object) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))

    def link(self, film: Path, *names: str) -> None:
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(film, self.folder / name)

    def result(self, pipeline: str, name: str = "film.mp4") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output(pipeline, name, "json").read_text())
        coverage = found["coverage"]
        assert coverage["answered"] == coverage["windows"], found["failed_windows"]
        return found

    def output(self, pipeline: str, name: str, suffix: str) -> Path:
        return self.folder / "vlmd/results" / pipeline / f"{name}.{suffix}"

    def is_report(self, folder: str) -> bool:
        return (self.folder / folder / "report.html").is_file() and (self.folder / folder / "report.xlsx").is_file()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render_match(path, SEED, SECONDS)
    return path


@pytest.fixture
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


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
    box = {"devices": {"use": ["cpu"]}, "inbox": {"settle_seconds": 0.3}}
    return as_toml({**box, "models": models, "pipelines": chosen}, lambda keys: None)


CONFIG = ".config/vlmd/config.toml"


@pytest.mark.timeout(300)
def test_events_three_models_and_their_ensemble(film: Path, tmp_path: Path, checkpoints: Path) -> None:
    """One game is dropped for the ensemble; everything else comes by itself."""
    home = Home(tmp_path)
    changes = {"*": {"window.step": 8.0, "generation.max_new_tokens": 48}}
    home.write(CONFIG, shipped(("soccer-ensemble",), checkpoints, changes | _contexts()))
    home.link(film, *(f"SoccerNet/{GAME}/{half}_720p.mp4" for half in (1, 2)))
    home.write(f"SoccerNet/{GAME}/Labels-v2.json", _labels())
    said = home.typed("Events")
    assert "UrlLocal" in said and "average-mAP, loose" in said and "expected calibration error" in said
    assert home.is_report("soccer-report")
    name = f"{GAME}/1_720p.mp4"
    for pipeline in WHOLE:
        found = home.result(pipeline, name)
        assert found["coverage"]["windows"] == 2
        context = home.result(pipeline.replace("soccer", "match"), name)["texts"]
        assert found["recipe"]["prompt"].startswith(context[0]["text"][:20] if context else "\n")
        assert found["answers"]["unparseable"] == 0, found["unparseable_windows"]
        assert len(list(csv.DictReader(home.output(pipeline, name, "csv").open()))) == len(found["events"])
    found = home.result("soccer-ensemble", name)
    seen = sum(len(event["evidence"]) for event in found["events"])
    assert seen == sum(len(home.result(pipeline, name)["events"]) for pipeline in WHOLE)


def _contexts() -> dict[str, dict[str, Any]]:
    return {f"match-{name}": {"generation.max_new_tokens": 12} for name in ("idefics2", "llava", "qwen")}


def _labels() -> dict[str, Any]:
    """What truly happens in both halves, as SoccerNet writes it."""
    events = plan_match(SEED, SECONDS).events()
    return {
        "UrlLocal": f"{GAME}/",
        "annotations": [
            {"gameTime": f"{half} - 00:{event.start_ms // 1000:02}", "label": event.label, "team": event.team,
             "position": str(event.start_ms), "visibility": "visible"}
            for half in (1, 2) for event in events
        ],
    }  # fmt: skip


@pytest.mark.timeout(300)
def test_captions_of_every_scene_by_four_models(film: Path, tmp_path: Path, checkpoints: Path) -> None:
    home = Home(tmp_path)
    names = ("scenes-instructblip", "scenes-llava-vicuna", "scenes-llava-mistral", "scenes-phi")
    changes = {"*": {"window.threshold": 8.0, "generation.max_new_tokens": 12}}
    home.write(CONFIG, shipped(names, checkpoints, changes))
    home.link(film, "film.mp4")
    said = home.typed("Captions")
    assert " --> " in said and home.is_report("scenes-report")
    scenes = {name: home.result(name)["coverage"]["windows"] for name in names}
    assert len(set(scenes.values())) == 1 and scenes["scenes-phi"] > 1
    for name in names:
        captions = home.result(name)["captions"]
        assert len(webvtt.read(str(home.output(name, "film.mp4", "vtt")))) == len(captions)
        assert len(re.findall(" --> ", home.output(name, "film.mp4", "srt").read_text())) == len(captions)


@pytest.mark.timeout(300)
def test_feedback_on_exercises(film: Path, tmp_path: Path, checkpoints: Path) -> None:
    home = Home(tmp_path)
    changes = {"physio-gemma": {"generation.max_new_tokens": 12, "videos": str(tmp_path / "physio")}}
    home.write(CONFIG, shipped(("physio-gemma",), checkpoints, changes))
    home.link(film, "physio/cat-cow/0019.mp4")
    turns = [{"from": "human", "value": "<video>\nEvaluate this."}, {"from": "gpt", "value": "Cat cow - slower."}]
    home.write("physio/test.json", [{"id": "p1", "video": "cat-cow/0019.mp4", "conversations": turns}])
    said = home.typed("Feedback")
    assert "ROUGE-L" in said and "METEOR" in said and home.is_report("physio-report")
    found = home.result("physio-gemma", "test/p1")
    assert found["task"]["name"] == "feedback" and found["coverage"]["windows"] == 1
    assert "Evaluate this." in found["recipe"]["prompt"] and found["recipe"]["generation"]["temperature"] == 0.1


@pytest.mark.timeout(300)
def test_choices_about_roads(film: Path, tmp_path: Path, checkpoints: Path) -> None:
    home = Home(tmp_path)
    home.write(CONFIG, shipped(("roadbuddy-internvl",), checkpoints, {}))
    home.link(film, "clip.mp4", "roadbuddy/videos/1.mp4")
    asked = {"question": "Đèn gì?", "choices": ["A. Đỏ", "B. Xanh"], "video_path": "videos/1.mp4", "answer": "A. Đỏ"}
    home.write("roadbuddy/test.json", {"data": [{"id": f"t{at}", **asked, "support_frames": [at]} for at in (1, 5)]})
    said = home.typed("Choices")
    assert "accuracy" in said and home.is_report("road-report")
    road = home.result("roadbuddy-internvl", "test/t1")
    assert road["choice"]["answer"] in ("A", "B") and road["choice"]["reason"] is None
    assert "Đèn gì?" in road["recipe"]["prompt"] and road["answers"]["unparseable"] == 0
    answers = [f"t{at},{home.result('roadbuddy-internvl', f'test/t{at}')['choice']['answer']}" for at in (1, 5)]
    assert (home.folder / "submission.csv").read_text().split() == ["id,answer", *answers]
    assert home.output("roadbuddy-internvl", "test", "csv").read_text().split() == ["id,answer", *answers]
    assert home.result("roadbuddy-internvl", "clip.mp4")["inputs"]["timestamps_s"] == [2.0]
