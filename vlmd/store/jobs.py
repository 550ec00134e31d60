"""Verbs for jobs: planned, cancelled, retried, merged, done."""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite
import msgspec

from vlmd.core import names
from vlmd.core.errors import Failure
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.recipe import Recipe
from vlmd.core.states import ACTIVE_JOBS, ENDED_JOBS
from vlmd.core.video import FileRef, VideoIndex
from vlmd.core.windows import Window, WindowPlan
from vlmd.store import needs
from vlmd.store.files import end, file_ref, inputs_of, return_leases
from vlmd.store.rows import change, every, one
from vlmd.store.twins import wake_twins


class IndexingJob(msgspec.Struct, frozen=True):
    """A job whose video is to be read and cut into windows."""

    id: int
    pipeline: str
    name: str
    file: FileRef
    inputs: Inputs | None


class MergingJob(msgspec.Struct, frozen=True):
    id: int
    pipeline: str
    result: str
    """Path of the result below the results folder."""
    file: FileRef
    inputs: Inputs | None
    check_file: bool
    """The job has not been done before: its file must still be what was looked at."""


class UnfinishedJob(msgspec.Struct, frozen=True):
    id: int
    pipeline: str
    state: str
    recipe: str | None
    plan: str | None
    """The window plan it was cut by, as JSON."""
    inputs: Inputs | None


class Plan(msgspec.Struct, frozen=True):
    """The outcome of indexing: what to ask, of what, under which recipe."""

    index: VideoIndex
    recipe: Recipe
    windows: list[Window]
    cut: WindowPlan


async def indexing(db: aiosqlite.Connection, without: Sequence[str] = (), limit: int = 64) -> list[IndexingJob]:
    """The first jobs to be indexed, but for those of the pipelines `without`; there may be tens of thousands."""
    marks = ", ".join("?" for _ in without)
    rows = await every(
        db,
        "SELECT jobs.id AS job_id, pipeline, name, inputs, files.* FROM jobs JOIN files ON files.id = file_id"
        f" WHERE jobs.state = 'indexing' AND pipeline NOT IN ({marks}) ORDER BY priority DESC, jobs.id LIMIT ?",
        (*without, limit),
    )
    return [IndexingJob(row["job_id"], row["pipeline"], row["name"], file_ref(row), inputs_of(row)) for row in rows]


async def merging(db: aiosqlite.Connection) -> list[MergingJob]:
    """Jobs whose result is to be written; of several with the same result, the oldest."""
    rows = await every(
        db,
        "SELECT jobs.id AS job_id, pipeline, result, summary, inputs, files.*"
        " FROM jobs JOIN files ON files.id = file_id"
        " WHERE jobs.id IN (SELECT min(id) FROM jobs WHERE state = 'merging' GROUP BY result) ORDER BY jobs.id",
    )
    return [
        MergingJob(row["job_id"], row["pipeline"], row["result"], file_ref(row), inputs_of(row), row["summary"] is None)
        for row in rows
    ]


async def is_merging(db: aiosqlite.Connection, job_id: int) -> bool:
    return await one(db, "SELECT 1 FROM jobs WHERE id = ? AND state = 'merging'", (job_id,)) is not None


async def unfinished(db: aiosqlite.Connection) -> list[UnfinishedJob]:
    marks = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
    rows = await every(
        db, f"SELECT id, pipeline, state, recipe, plan, inputs FROM jobs WHERE state IN ({marks}) ORDER BY id"
    )
    return [
        UnfinishedJob(row["id"], row["pipeline"], row["state"], row["recipe"], row["plan"], inputs_of(row))
        for row in rows
    ]


async def plan(db: aiosqlite.Connection, job_id: int, plan: Plan, now: int) -> str | None:
    """Insert the job's windows, taking over every full answer that is still valid.

    Returns the job's new state: queued, merging (nothing left to ask), or waiting (another job is asking the
    same); None when the job was ended meanwhile.
    """
    job = await one(db, "SELECT * FROM jobs WHERE id = ? AND state = 'indexing'", (job_id,))
    if job is None:
        return None
    digest = await keep_recipe(db, plan.recipe)
    if (job["fingerprint"], job["recipe"]) != (plan.index.facts.fingerprint, digest):
        await wake_twins(db, job_id, now)  # who waited for what it asked before waits for it in vain
    await change(db, "DELETE FROM windows WHERE job_id = ?", (job_id,))
    await _describe(db, job, plan, digest, now)
    if await _twin(db, job_id, plan.index.facts.fingerprint, digest):
        return await _move(db, job_id, "waiting", now)
    taken = {} if job["fresh"] else await _stored_answers(db, plan.index.facts.fingerprint, digest)
    rows = [_window_row(job_id, window, plan.index, taken, now) for window in plan.windows]
    await db.executemany(
        "INSERT INTO windows (job_id, idx, start_ms, end_ms, pts, times_ms, seek, state, answer_id, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    await change(db, "UPDATE jobs SET fresh = 0 WHERE id = ?", (job_id,))
    complete = all(row[7] == "answered" for row in rows)
    return await _move(db, job_id, "merging" if complete else "queued", now)


async def replan(db: aiosqlite.Connection, job_id: int, now: int) -> None:
    """Send an unfinished job back to be indexed: what it asks has changed. Twins do not wait for it any more."""
    await return_leases(db, job_id, now)
    await wake_twins(db, job_id, now)
    await change(
        db,
        "UPDATE jobs SET state = 'indexing', changed_at = ? WHERE id = ?"
        " AND state IN ('waiting', 'queued', 'running', 'merging')",
        (now, job_id),
    )


async def fail(db: aiosqlite.Connection, job_id: int, failure: Failure, now: int, state: str = "failed") -> bool:
    """End an active job without a result, as failed, cancelled or quarantined. False if it had ended already."""
    job = await one(db, "SELECT state FROM jobs WHERE id = ?", (job_id,))
    if job is None or job["state"] not in ACTIVE_JOBS:
        return False
    await end(db, job_id, state, failure, now)
    return True


async def retry(db: aiosqlite.Connection, job_id: int, fresh: bool, now: int) -> bool:
    """Take an ended job up again. Valid answers are kept unless `fresh`. False while it is still active."""
    marks = ", ".join(f"'{state}'" for state in ENDED_JOBS)
    return bool(
        await change(
            db,
            "UPDATE jobs SET state = 'indexing', fresh = ?, code = NULL, reason = NULL, started_at = NULL,"
            f" finished_at = NULL, changed_at = ? WHERE id = ? AND state IN ({marks})",
            (fresh, now, job_id),
        )
    )


async def remerge(db: aiosqlite.Connection, job_id: int, now: int) -> bool:
    """Write the result anew from the stored answers. False unless every window is answered or failed.

    A job that is being forgotten has lost its first window first. One that asks nothing by itself has no windows.
    """
    return bool(
        await change(
            db,
            "UPDATE jobs SET state = 'merging', code = NULL, reason = NULL, changed_at = ? WHERE id = ?"
            " AND state IN ('done', 'failed') AND answered + failed = total"
            " AND recipe IS NOT NULL"
            " AND (total = 0 OR EXISTS (SELECT 1 FROM windows WHERE job_id = jobs.id AND idx = 0))",
            (now, job_id),
        )
    )


async def merged(db: aiosqlite.Connection, job_id: int, summary: str, outcome: Outcome, now: int) -> bool:
    """The result lies on disk. False if the job was ended meanwhile."""
    told = msgspec.json.encode(outcome).decode()
    before = await one(db, "SELECT outcome FROM jobs WHERE id = ?", (job_id,))
    moved = await change(
        db,
        "UPDATE jobs SET state = 'done', summary = ?, outcome = ?, finished_at = ?, changed_at = ?"
        " WHERE id = ? AND state = 'merging'",
        (summary, told, now, now, job_id),
    )
    await wake_twins(db, job_id, now)
    if moved and before is not None:
        await needs.satisfied(db, job_id, before["outcome"] not in (None, told), now)
    return bool(moved)


async def hurry(db: aiosqlite.Connection, job_id: int) -> None:
    """Put a job at the front of the queue."""
    await change(
        db,
        "UPDATE jobs SET priority = (SELECT max(priority) + 1 FROM jobs)"
        " WHERE id = ? AND (priority <= 0 OR priority < (SELECT max(priority) FROM jobs))",
        (job_id,),
    )


def plan_text(plan: WindowPlan) -> str:
    """A window plan as it is kept with its job."""
    return msgspec.json.encode(plan).decode()


async def keep_recipe(db: aiosqlite.Connection, recipe: Recipe) -> str:
    """Store a recipe once; returns its digest."""
    digest = recipe.digest()
    body = msgspec.json.encode(recipe).decode()
    await db.execute("INSERT OR IGNORE INTO recipes (digest, body) VALUES (?, ?)", (digest, body))
    return digest


async def _describe(db: aiosqlite.Connection, job: aiosqlite.Row, plan: Plan, digest: str, now: int) -> None:
    facts = plan.index.facts
    await change(
        db,
        "UPDATE jobs SET fingerprint = ?, facts = ?, recipe = ?, plan = ?, model = ?, result = ?, reused = 0,"
        " code = NULL, reason = NULL, summary = NULL, changed_at = ? WHERE id = ?",
        (
            facts.fingerprint,
            msgspec.json.encode(facts).decode(),
            digest,
            plan_text(plan.cut),
            plan.recipe.model,
            await _claim(db, job["base"], facts.fingerprint),
            now,
            job["id"],
        ),
    )


async def _claim(db: aiosqlite.Connection, base: str, fingerprint: str) -> str:
    """The result's path: its base, unless that belongs to another video.

    A job that ended before it was ever merged (its file was still being copied, say) wrote nothing and owns nothing.
    One that was merged owns its result for ever, also when the job itself has been forgotten.
    """
    marks = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
    taken = await one(
        db,
        f"SELECT 1 FROM jobs WHERE result = ?1 AND fingerprint <> ?2 AND (state IN ({marks}) OR EXISTS"
        " (SELECT 1 FROM transitions WHERE job_id = jobs.id AND entity = 'job' AND new = 'merging'))"
        " UNION ALL SELECT 1 FROM claims WHERE result = ?1 AND fingerprint <> ?2 LIMIT 1",
        (base, fingerprint),
    )
    return names.with_claim(base, fingerprint) if taken else base


async def _twin(db: aiosqlite.Connection, job_id: int, fingerprint: str, digest: str) -> bool:
    row = await one(
        db,
        "SELECT 1 FROM jobs WHERE fingerprint = ? AND recipe = ? AND id <> ?"
        " AND state IN ('queued', 'running', 'merging')",
        (fingerprint, digest, job_id),
    )
    return row is not None


async def _stored_answers(db: aiosqlite.Connection, fingerprint: str, digest: str) -> dict[tuple[int, int], int]:
    """(start, end) → the newest answer given under all of this recipe."""
    rows = await every(
        db,
        "SELECT start_ms, end_ms, max(id) AS id FROM answers WHERE fingerprint = ? AND asked = ? AND NOT degraded"
        " GROUP BY start_ms, end_ms",
        (fingerprint, digest),
    )
    return {(row["start_ms"], row["end_ms"]): row["id"] for row in rows}


def _window_row(
    job_id: int, window: Window, index: VideoIndex, taken: dict[tuple[int, int], int], now: int
) -> tuple[object, ...]:
    answer = taken.get((window.start_ms, window.end_ms))
    times = msgspec.json.encode([index.ms(pts) for pts in window.pts]).decode()
    state = "queued" if answer is None else "answered"
    pts = msgspec.msgpack.encode(window.pts)
    return (job_id, window.index, window.start_ms, window.end_ms, pts, times, window.seek, state, answer, now)


async def _move(db: aiosqlite.Connection, job_id: int, state: str, now: int) -> str:
    await change(db, "UPDATE jobs SET state = ?, changed_at = ? WHERE id = ?", (state, now, job_id))
    return state
