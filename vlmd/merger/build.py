"""A job's result, from one moment of the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from vlmd.core.calibration import Calibration
from vlmd.core.errors import UsageError
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.ensemble import EnsembleTask
from vlmd.core.tasks.registry import Task
from vlmd.core.video import VideoFacts
from vlmd.outputs import result
from vlmd.store import reader


def built(
    database: Path, job: int, task: Task, inputs: Inputs | None, calibration: Calibration | None = None
) -> result.Built:
    """The result of what has been answered so far. Raises `UsageError` where the job has not been planned."""
    with reader.snapshot(database) as db:
        row = reader.job(db, job)
        if row is None or row["facts"] is None:
            raise UsageError(f"job {job} has not been planned: nothing has been answered yet")
        source = result.Source(
            job=row["id"],
            pipeline=row["pipeline"],
            name=row["name"],
            facts=msgspec.json.decode(row["facts"], type=VideoFacts),
            recipe=msgspec.json.decode(row["recipe_body"], type=Recipe),
            inputs=inputs,
            needed=_needed(db, job),
            reused=row["reused"],
            created_at=row["created_at"],
            started_at=row["started_at"],
        )
        _require_all(task, source.needed)
        return result.build(source, task, reader.windows(db, job), calibration)


def _needed(db: sqlite3.Connection, job: int) -> dict[str, Outcome]:
    """What other pipelines found, by their names. Raises `UsageError` for one that has found nothing yet."""
    found = {}
    for one in reader.needed(db, job):
        if one["outcome"] is None:
            raise UsageError(f"it needs the result of {one['pipeline']}, whose job {one['job']} is {one['state']}")
        found[one["pipeline"]] = msgspec.json.decode(one["outcome"], type=Outcome)
    return found


def _require_all(task: Task, needed: dict[str, Outcome]) -> None:
    """An ensemble of fewer than all would pass for one of all."""
    if isinstance(task, EnsembleTask) and (missing := sorted(set(task.of) - set(needed))):
        raise UsageError(f"the results of {', '.join(missing)} have been forgotten; `vlmd retry` makes them anew")
