"""A job's result, from one moment of the database."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.inputs import Inputs
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.registry import Task
from vlmd.core.video import VideoFacts
from vlmd.outputs import result
from vlmd.store import reader


def built(database: Path, job: int, task: Task, inputs: Inputs | None) -> result.Built:
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
            reused=row["reused"],
            created_at=row["created_at"],
            started_at=row["started_at"],
        )
        return result.build(source, task, list(reader.windows(db, job)))
