"""`vlmd models list`: every model that is configured or was fetched, what it takes on disk, who uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vlmd.cli.words import json_option, print_json, print_table, size
from vlmd.config import Given, ModelSettings, Settings, load_settings
from vlmd.core.faults import failure_of
from vlmd.core.names import shown
from vlmd.weights import NotFetched, demo_folder, faults_of, folder_of
from vlmd.weights.places import Fetched, everything

_SHORT = 12


@click.command(name="list")
@json_option
@click.pass_obj
def list_models(given: Given, as_json: bool) -> None:
    """List the models that are configured or were fetched: their size, what uses them, what is wrong."""
    settings = load_settings(given)
    listed = entries(settings)
    if as_json:
        print_json({"folder": str(settings.paths.models), "free_bytes": _free(settings.paths.models), "models": listed})
        return
    columns = ("MODEL", "FROM", "REVISION", "DISK", "STATE", "USED BY")
    print_table(columns, (_row(entry) for entry in listed))
    for entry in (entry for entry in listed if entry["problem"]):
        click.echo(f"{_row(entry)[0]}: {shown(entry['problem'])}")


def entries(settings: Settings) -> list[dict[str, Any]]:
    """What lies on this machine, then what is configured and does not."""
    places = {name: _place(model, settings.paths.models) for name, model in settings.models.items()}
    there = list(everything(settings.paths.models))
    listed = [_fetched(settings, found, users_of(settings, places, found.folder)) for found in there]
    known = {found.folder for found in there}
    listed += [
        _own(settings, name, place)
        for name, place in places.items()
        if place not in known and settings.models[name].hub is None
    ]
    return listed + [_absent(settings, name) for name, place in places.items() if place is None]


def users_of(settings: Settings, places: dict[str, Path | None], folder: Path) -> dict[str, list[str]]:
    """The configured models that mean a folder, each with its pipelines."""
    return {name: _pipelines(settings, name) for name, place in places.items() if place == folder}


def all_places(settings: Settings) -> dict[str, Path | None]:
    """Where each configured model lies; None where it is not fetched."""
    return {name: _place(model, settings.paths.models) for name, model in settings.models.items()}


def bytes_of(folder: Path) -> int:
    """What its files hold."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _place(model: ModelSettings, models: Path) -> Path | None:
    try:
        return folder_of(model, models)
    except NotFetched:
        return None


def _pipelines(settings: Settings, model: str) -> list[str]:
    return [name for name, pipeline in settings.pipelines.items() if pipeline.model == model]


def _fetched(settings: Settings, found: Fetched, users: dict[str, list[str]]) -> dict[str, Any]:
    record = found.record
    problem = _problem(settings, list(users), found.folder) if found.state == "complete" else None
    return {
        "names": list(users),
        "hub": found.hub,
        "commit": found.commit,
        "revisions": list(record.revisions) if record else [],
        "fetched": record.fetched if record else None,
        "path": str(found.folder),
        "bytes": bytes_of(found.folder),
        "state": "unusable" if problem else found.state,
        "problem": problem,
        "pipelines": [name for pipelines in users.values() for name in pipelines],
    }


def _own(settings: Settings, name: str, place: Path | None) -> dict[str, Any]:
    """A model in a folder that is not vlmd's."""
    there = place is not None and place.is_dir()
    problem = _problem(settings, [name], place) if there and place else None
    return {
        "names": [name],
        "hub": None,
        "commit": None,
        "revisions": [],
        "fetched": None,
        "path": str(place),
        "bytes": bytes_of(place) if there and place else 0,
        "state": "unusable" if problem else "complete" if there else "missing",
        "problem": problem,
        "pipelines": _pipelines(settings, name),
    }


def _problem(settings: Settings, names: list[str], folder: Path) -> str | None:
    """What keeps it from being loaded by any of its names, as far as files tell, as doctor and status say it."""
    adapters = {settings.models[name].adapter for name in names} or {None}
    faults = [fault for adapter in adapters for fault in faults_of(folder, adapter=adapter)]
    return str(failure_of(str(folder), list(dict.fromkeys(faults)))) if faults else None


def _absent(settings: Settings, name: str) -> dict[str, Any]:
    model = settings.models[name]
    return {
        "names": [name],
        "hub": model.hub,
        "commit": None,
        "revisions": [model.revision] if model.revision else [],
        "fetched": None,
        "path": None,
        "bytes": 0,
        "state": "not fetched",
        "problem": None,
        "pipelines": _pipelines(settings, name),
    }


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    place = "vlmd-demo" if entry["path"] == str(demo_folder()) else entry["path"]
    revision = ", ".join([*entry["revisions"], *([entry["commit"][:_SHORT]] if entry["commit"] else [])])
    return (
        ", ".join(entry["names"]) or "-",
        entry["hub"] or place,
        revision or "-",
        size(entry["bytes"]),
        entry["state"],
        ", ".join(entry["pipelines"]) or "-",
    )


def _free(folder: Path) -> int | None:
    there: Iterator[Path] = (path for path in (folder, *folder.parents) if path.exists())
    return next((shutil.disk_usage(path).free for path in there), None)
