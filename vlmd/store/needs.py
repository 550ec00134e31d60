"""Verbs for needs: a job waits for the results of other pipelines, and goes on, or ends, with them.

A job that waits for a need is `waiting` without a recipe, which depends on what the need is going to say; one that
waits for a twin has its recipe.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite
import msgspec

from vlmd.core.errors import Code, Failure
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.states import ACTIVE_JOBS
from vlmd.store.rows import change, every, insert, one
from vlmd.store.twins import wake_twins


class Want(msgspec.Struct, frozen=True):
    """A pipeline whose result of the same video comes first, and what it is asked besides."""

    pipeline: str
    inputs: Inputs | None


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """The job that is to give that result."""

    id: int
    pipeline: str
    state: str
    reason: str | None
    recipe: str | None
    plan: str | None
    """As `jobs.plan_text` has it."""
    inputs: Inputs | None
    outcome: Outcome | None
    """What it found, once it is done."""


_ACTIVE = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
_OF_A_NEED = "state = 'waiting' AND recipe IS NULL"


async def require(db: aiosqlite.Connection, job_id: int, wants: Sequence[Want], now: int) -> list[Needed]:
    """The jobs that a job needs, in the order of `wants`; those that are not there yet are made."""
    job = await one(db, "SELECT * FROM jobs WHERE id = ?", (job_id,))
    assert job is not None
    await change(db, "DELETE FROM needs WHERE job_id = ?", (job_id,))
    for want in wants:
        needed = await _there(db, job["file_id"], want) or await _made(db, job, want, now)
        values = (job_id, want.pipeline, needed)
        await change(db, "INSERT INTO needs (job_id, pipeline, needed_id) VALUES (?, ?, ?)", values)
    found = {one.pipeline: one for one in await of_job(db, job_id)}
    return [found[want.pipeline] for want in wants]


async def of_job(db: aiosqlite.Connection, job_id: int) -> list[Needed]:
    """What a job needed when it was planned last."""
    rows = await every(
        db, "SELECT jobs.* FROM needs JOIN jobs ON jobs.id = needed_id WHERE job_id = ? ORDER BY jobs.id", (job_id,)
    )
    return [_needed(row) for row in rows]


async def wait(db: aiosqlite.Connection, job_id: int, now: int) -> bool:
    """Let a job that is being planned wait for what it needs. False where nothing is under way that it could wait for.

    Looked up in the transaction that lets it wait: what ends after it finds it waiting.
    """
    waits = await one(
        db,
        "SELECT 1 FROM jobs WHERE id = ? AND state = 'indexing' AND EXISTS (SELECT 1 FROM needs JOIN jobs AS needed"
        f" ON needed.id = needed_id WHERE job_id = jobs.id AND needed.state IN ({_ACTIVE}))",
        (job_id,),
    )
    if waits is None:
        return False
    await wake_twins(db, job_id, now)  # they wait for what it asked before, which it will not ask
    await change(db, "UPDATE jobs SET state = 'waiting', recipe = NULL, changed_at = ? WHERE id = ?", (now, job_id))
    return True


async def coming(db: aiosqlite.Connection, pipelines: Sequence[str]) -> bool:
    """Whether a job of these pipelines is about to have windows: it is planned, or waits for what is merged now."""
    marks = ", ".join("?" for _ in pipelines)
    found = await one(
        db,
        f"SELECT 1 FROM jobs WHERE pipeline IN ({marks}) AND (state = 'indexing' OR ({_OF_A_NEED} AND NOT EXISTS"
        " (SELECT 1 FROM needs JOIN jobs AS needed ON needed.id = needed_id WHERE job_id = jobs.id"
        "  AND needed.state IN ('indexing', 'waiting', 'queued', 'running')))) LIMIT 1",
        tuple(pipelines),
    )
    return found is not None


async def satisfied(db: aiosqlite.Connection, job_id: int, changed: bool, now: int) -> None:
    """A job is done: those that waited for it, or failed for its sake, look again at what they ask.

    Where what it found has `changed`, so do those that were asked in the light of what it found before.
    """
    states = "'queued', 'running', 'merging', 'done'" if changed else "''"
    rows = await every(
        db,
        f"SELECT id FROM jobs WHERE id IN (SELECT job_id FROM needs WHERE needed_id = ?) AND (({_OF_A_NEED})"
        f" OR (state = 'failed' AND code = '{Code.NEED_FAILED}') OR state IN ({states}))",
        (job_id,),
    )
    for row in rows:
        await wake_twins(db, row["id"], now)
        await change(
            db,
            "UPDATE windows SET state = 'queued', lease = NULL, changed_at = ? WHERE job_id = ? AND state = 'leased'",
            (now, row["id"]),
        )
        await change(
            db,
            "UPDATE jobs SET state = 'indexing', code = NULL, reason = NULL, finished_at = NULL, changed_at = ?"
            " WHERE id = ?",
            (now, row["id"]),
        )


async def dependents(db: aiosqlite.Connection, job_id: int) -> list[int]:
    """Jobs that wait for this one."""
    rows = await every(
        db,
        f"SELECT id FROM jobs WHERE id IN (SELECT job_id FROM needs WHERE needed_id = ?) AND {_OF_A_NEED}",
        (job_id,),
    )
    return [row["id"] for row in rows]


def failure_of_need(job: aiosqlite.Row, state: str, reason: str) -> Failure:
    return Failure(Code.NEED_FAILED, f"it needs {job['pipeline']}, whose job {job['id']} has {state}: {reason}")


async def _there(db: aiosqlite.Connection, file_id: int, want: Want) -> int | None:
    """The newest job of the pipeline for the same file and inputs."""
    row = await one(
        db,
        "SELECT max(id) AS id FROM jobs WHERE file_id = ? AND pipeline = ? AND inputs IS ?",
        (file_id, want.pipeline, _text(want.inputs)),
    )
    return None if row is None else row["id"]


async def _made(db: aiosqlite.Connection, job: aiosqlite.Row, want: Want, now: int) -> int:
    base = f"{want.pipeline}/{job['base'].partition('/')[2]}"
    values = (job["file_id"], want.pipeline, job["name"], base, _text(want.inputs), job["priority"], now, now)
    return await insert(
        db,
        "INSERT INTO jobs (file_id, pipeline, name, base, inputs, priority, state, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'indexing', ?, ?)",
        values,
    )


def _needed(row: aiosqlite.Row) -> Needed:
    done = row["state"] == "done" and row["outcome"] is not None
    return Needed(
        id=row["id"],
        pipeline=row["pipeline"],
        state=row["state"],
        reason=row["reason"],
        recipe=row["recipe"],
        plan=row["plan"],
        inputs=None if row["inputs"] is None else msgspec.json.decode(row["inputs"], type=Inputs),
        outcome=msgspec.json.decode(row["outcome"], type=Outcome) if done else None,
    )


def _text(inputs: Inputs | None) -> str | None:
    return None if inputs is None else msgspec.json.encode(inputs).decode()
