"""`vlmd models list` and `remove`: what lies where, who uses it, and that nothing in use goes unasked."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.hub import Fault, files_of
from tests.hub.conftest import NAME, Machine
from tests.hub.test_fetch import until
from vlmd.demo.render import render_match
from vlmd.weights import demo_folder


def removed(machine: Machine, *arguments: str) -> dict[str, Any]:
    done = machine.run("models", "remove", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_what_is_listed(machine: Machine) -> None:
    assert [(model["names"], model["state"]) for model in machine.listed()] == [
        (["demo"], "complete"),
        (["tiny"], "not fetched"),
    ]
    folder = machine.fetch()
    (tiny, demo) = machine.listed()
    assert (tiny["names"], tiny["pipelines"], tiny["revisions"]) == (["tiny"], ["soccer"], ["main"])
    assert (tiny["path"], tiny["commit"], tiny["hub"]) == (str(folder), folder.name, NAME)
    assert tiny["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert (demo["names"], demo["hub"], demo["pipelines"]) == (["demo"], None, [])
    table = machine.run("models", "list").stdout
    assert "someone/tiny-vlm" in table and "vlmd-demo" in table and f"main, {folder.name[:12]}" in table


def test_a_folder_of_ones_own_that_is_gone(machine: Machine) -> None:
    machine.config.write_text(machine.config.read_text().replace('"vlmd-demo"', '"/nowhere/at/all"'))
    assert [model["state"] for model in machine.listed() if model["names"] == ["demo"]] == ["missing"]
    assert "vlmd leaves alone" in machine.refused("remove", "demo", code=2)


def test_what_the_configuration_names_goes_only_by_force(machine: Machine) -> None:
    folder = machine.fetch()
    told = machine.refused("remove", "tiny", code=2)
    assert "the configuration names it as model tiny (pipeline soccer); --force" in told
    would = removed(machine, "tiny", "--dry-run")
    assert would["used_by"] == ["the configuration names it as model tiny (pipeline soccer)"]
    assert list(would["folders"]) == [str(folder)] and folder.exists()
    assert would["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert removed(machine, "tiny", "--force")["dry_run"] is False
    assert not machine.home.exists()


def test_what_nobody_uses_goes(machine: Machine) -> None:
    machine.hub.add("other/one", files_of(demo_folder()), branch="v1")
    machine.hub.add("other/one", files_of(demo_folder()) | {"merges.txt": b"a b"})
    first, second = machine.fetch("other/one", "--revision", "v1"), machine.fetch("other/one")
    assert list(removed(machine, "other/one", "--revision", "v1")["folders"]) == [str(first)]
    assert second.exists() and not first.exists()
    machine.hub.add("other/one", files_of(demo_folder()) | {"merges.txt": b"c d"})
    machine.hub.faults = [Fault("resolve", status=403)]
    machine.refused("fetch", "other/one", "--update")
    assert len(removed(machine, "other/one")["folders"]) >= 1
    assert not second.exists()


def test_half_a_removal_is_no_model_and_goes_with_the_next(machine: Machine) -> None:
    folder = machine.fetch()
    folder.rename(folder.with_name(f"{folder.name}.removing"))
    assert [model["state"] for model in machine.listed() if model["hub"]] == ["removing", "not fetched"]
    machine.fetch()
    removed(machine, "tiny", "--force")
    assert not machine.home.exists()


@pytest.mark.timeout(200)
def test_the_daemon_answers_with_what_was_fetched_and_keeps_it_from_being_removed(machine: Machine) -> None:
    folder = machine.fetch()
    daemon = machine.start("run")
    try:
        until(lambda: machine.run("status").returncode == 0, "the daemon answers")
        status = json.loads(machine.run("status", "--json").stdout)
        assert [(model["name"], model["path"]) for model in status["models"]] == [("tiny", str(folder))]
        machine.config.write_text(machine.config.read_text().replace("someone/tiny-vlm", "another/name"))
        told = machine.refused("remove", NAME, code=2)
        assert "the running daemon uses it as model tiny; --force" in told and "the configuration" not in told
        render_match(machine.folder / "inbox" / "soccer" / "match.mp4", 1, 4)
        result = machine.folder / "results" / "soccer" / "match.mp4.json"
        machine.hub.add("other/one", files_of(demo_folder()))
        machine.fetch("other/one")
        until(result.exists, "there is a result", 120)
        assert json.loads(result.read_text())["coverage"]["failed"] == 0
    finally:
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 0 and "Traceback" not in err


def test_a_damaged_checkpoint_parks_its_worker_with_one_sentence(machine: Machine) -> None:
    """Without another model that is the end of it."""
    weights = machine.fetch() / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    done = machine.run("run")
    assert done.returncode == 69
    assert "it cannot start" in done.stderr and "model.safetensors was cut off" in done.stderr
