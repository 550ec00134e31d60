"""Result documents by what somebody names: jobs by their numbers, pipelines, result files, folders of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from vlmd.cli import completing
from vlmd.cli.bars import Doing
from vlmd.cli.client import Client
from vlmd.cli.errors import NoSuchJob, NotRunning
from vlmd.config import Given, Settings, load_settings
from vlmd.core.errors import UsageError
from vlmd.core.inputs import Inputs
from vlmd.core.names import shown
from vlmd.merger.build import built
from vlmd.outputs.result import SCHEMA
from vlmd.store import reader
from vlmd.supervisor.asking import task_of
from vlmd.supervisor.calibrations import calibration_of

Document = dict[str, Any]
NAMED_EVERY = 100
"""Results after which it is told how many there were."""

results_argument = click.argument(
    "results", metavar="JOB|PIPELINE|FILE...", nargs=-1, required=True, shell_complete=completing.results
)
"""What `documents` takes."""


def documents(given: Given, named: Sequence[str]) -> Iterator[tuple[str, Document]]:
    """Each result with what to call it, in the order they are named; those of a folder by their paths.

    A number is a job: its answers so far are merged by the daemon, or from the database where none runs. Anything
    else is a file, or a folder in which every result counts and every other file is passed over; or, where there is
    none of that name, a pipeline: its folder of results. The settings are read only for jobs and pipelines. Raises
    `UsageError` for what is no result and for a folder without one, `NoSuchJob` for unknown jobs.
    """
    for name in named:
        if name.isascii() and name.isdecimal():
            yield f"job {name}", of_job(load_settings(given), int(name))
        elif (path := Path(name)).is_dir():
            yield from _of_folder(path)
        elif not path.exists() and path.name == name and name in (settings := load_settings(given)).pipelines:
            yield from _of_folder(settings.paths.results / name, settings.paths.results)
        else:
            yield shown(str(path)), of_file(path)


def read_all(given: Given, named: Sequence[str]) -> list[tuple[str, Document]]:
    """All of `documents`, with a word on how many there are while that takes its time."""
    found = []
    with Doing() as doing:
        for one in documents(given, named):
            found.append(one)
            if len(found) % NAMED_EVERY == 0:
                doing.say(f"{len(found)} results read")
    return found


def of_job(settings: Settings, job: int) -> Document:
    """What a job's answers so far come to; with the daemon's settings, or these where no daemon runs."""
    try:
        return Client(settings).result_so_far(job)
    except NotRunning:
        click.echo("the daemon is not running; this is what the database says", err=True)
    with reader.snapshot(settings.paths.database) as db:
        pipeline, inputs = _asked(db, job)
    if pipeline not in settings.pipelines:
        raise UsageError(f"pipeline {pipeline} is not configured any more, so nothing says how to merge")
    task, calibration = task_of(settings.pipelines[pipeline], inputs), calibration_of(settings, pipeline)
    return built(settings.paths.database, job, task, inputs, calibration).document


def of_file(path: Path) -> Document:
    """The result in a file. Raises `UsageError` where it is none, or cannot be read."""
    document: Document = _read(path)
    if not _is_result(document):
        raise UsageError(f"{shown(str(path))} is no result of vlmd: it does not begin with the schema {SCHEMA}")
    return document


def is_unfinished(document: Document) -> bool:
    """Whether windows are still to be answered: it is the result so far only."""
    return bool(document["coverage"]["pending"])


def _of_folder(folder: Path, below: Path | None = None) -> Iterator[tuple[str, Document]]:
    """Each called by its path, or by that `below` a folder."""
    found = 0
    for path in sorted(folder.rglob("*.json")):
        if path.is_file() and not path.name.startswith(".") and _is_result(document := _read(path)):
            found += 1
            yield shown(str(path.relative_to(below) if below else path)), document
    if not found:
        raise UsageError(f"there is no result in {shown(str(folder))}; a result is a .json file that vlmd wrote")


def _is_result(document: Any) -> bool:
    return isinstance(document, dict) and document.get("schema") == SCHEMA


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes(), parse_constant=_no_number)
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(str(path))} is no JSON: {shown(str(error))}") from error


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _asked(db: sqlite3.Connection, job: int) -> tuple[str, Inputs | None]:
    """A job's pipeline, and what came with its video."""
    row = reader.job(db, min(job, 2**63 - 1))
    if row is None:
        raise NoSuchJob(f"there is no job {job}; `vlmd jobs` lists them")
    return row["pipeline"], None if row["inputs"] is None else msgspec.json.decode(row["inputs"], type=Inputs)
