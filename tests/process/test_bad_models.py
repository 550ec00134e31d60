"""One good model and two bad ones, real workers: its jobs are done, theirs wait and say why, and a repair helps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.test_command_line import vlmd
from tools.chaos_kit.daemon import Daemon, real
from tools.chaos_kit.stage import set_up
from vlmd.demo.render import render_match
from vlmd.weights import demo_folder, revision_of

LABELS = ["Goal", "Yellow card"]
WINDOW = {"length": 1.0, "step": 1.0, "fps": 2.0}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    render_match(tmp_path / "film.mp4", 1, 3, fps=5)
    return tmp_path / "film.mp4"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Pipeline `match` asks the demo's model, `cut` one that was cut off, `gone` one that is not there."""
    others: dict[str, dict[str, Any]] = {}
    for name in ("cut", "gone"):
        others[f"models.{name}"] = {"path": str(tmp_path / name), "max_batch": 4, "precision": "fp32"}
        others[f"pipelines.{name}"] = {"model": name, "labels": LABELS}
        others[f"pipelines.{name}.window"] = WINDOW
    stage = set_up(tmp_path / "stage", kind="demo", **{"pipelines.match.window": WINDOW, **others})
    shutil.copytree(demo_folder(), tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    made = real(stage)
    yield made
    made.close()


def test_two_bad_models_stop_no_good_one_and_a_repair_is_enough(daemon: Daemon, film: Path, tmp_path: Path) -> None:
    daemon.start()
    daemon.until_answering()
    for pipeline in ("gone", "cut", "match"):
        daemon.stage.drop(film, f"../{pipeline}/{pipeline}.mp4")
    daemon.until(
        lambda: [job["pipeline"] for job in daemon.jobs("done")] == ["match"], "the good one's job is done", 150
    )
    refused = daemon.until(lambda: both_refused(daemon), "both are refused", 150)
    told = {
        "gone": f"{tmp_path / 'gone'} holds no config.json",
        "cut": f"{tmp_path / 'cut'}: model.safetensors was cut off",
    }
    assert all(refused[name]["reason"].startswith(told[name]) for name in told)
    assert all(refused[name]["remedy"].endswith(", then `vlmd resume`") for name in told)
    states = {job["pipeline"]: job["state"] for job in daemon.jobs()}
    assert states == {"match": "done", "cut": "queued", "gone": "indexing"}
    said = vlmd(daemon, "status").stdout
    doctor = vlmd(daemon, "doctor", "--json")
    found = {check["check"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert (doctor.returncode, found["model it"]["level"]) == (1, "ok")
    for name, entry in refused.items():
        assert f"model {name}: its jobs wait, it cannot be loaded: {entry['reason']}" in said
        assert entry["reason"] in daemon.log
        finding = found[f"model {name}"]
        assert (finding["level"], finding["found"], finding["remedy"]) == ("fail", entry["reason"], entry["remedy"])
    checked = vlmd(daemon, "config", "check")
    assert checked.returncode == 78 and told["gone"] in checked.stderr

    for name in ("cut", "gone"):
        shutil.copytree(demo_folder(), tmp_path / name, dirs_exist_ok=True)
    assert vlmd(daemon, "resume").returncode == 0
    daemon.until(lambda: len(daemon.jobs("done")) == 3, "all are done", 150)
    assert not (daemon.status() or {})["unloadable"]
    revisions = {result["recipe"]["revision"] for result in results(daemon)}
    assert revisions == {revision_of(tmp_path / "cut", tmp_path / "digests.json")}, "of the files that answered"
    assert daemon.stop() == 0


def both_refused(daemon: Daemon) -> dict[str, dict[str, str]] | None:
    refused = {entry["model"]: entry for entry in (daemon.status() or {"unloadable": []})["unloadable"]}
    return refused if len(refused) == 2 else None


def results(daemon: Daemon) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in daemon.stage.results.rglob("*.json")]


def test_where_no_model_is_there_nothing_is_started(daemon: Daemon, tmp_path: Path) -> None:
    config = daemon.stage.config
    config.write_text(config.read_text().replace("vlmd-demo", str(tmp_path / "nowhere")))
    shutil.rmtree(tmp_path / "cut")
    daemon.start()
    assert daemon.wait() == 78
    for name in ("nowhere", "cut", "gone"):
        assert f"{tmp_path / name} holds no config.json" in daemon.log
