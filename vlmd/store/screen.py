"""What a live screen reads again and again: a few jobs and answers out of many, each query bounded by an index."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from vlmd.core.answers import RawAnswer, Token
from vlmd.core.states import ACTIVE_JOBS, ENDED_JOBS

_BEGUN_FIRST = ("merging", "running", "indexing", "queued", "waiting")
_LOOKED_THROUGH = 500
"""Of the newest results: how many are looked through for doubtful ones."""
_JOBS = "SELECT jobs.*, files.path, files.origin, files.size FROM jobs JOIN files ON files.id = file_id"


def active_jobs(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Unfinished jobs: those that are worked on, then the queue in its order, then what waits for another job."""
    found: list[dict[str, Any]] = []
    for state in _BEGUN_FIRST:
        rows = db.execute(
            f"{_JOBS} WHERE jobs.id IN (SELECT id FROM jobs WHERE state = ? ORDER BY priority DESC, id LIMIT ?)"
            " ORDER BY priority DESC, jobs.id",
            (state, limit - len(found)),
        )
        found += map(dict, rows)
    return found


def ended_jobs(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Of the jobs that came last and have ended, those that ended last, newest first."""
    newest = " UNION ALL ".join(
        f"SELECT * FROM (SELECT id FROM jobs WHERE state = '{state}' ORDER BY id DESC LIMIT ?1)" for state in ENDED_JOBS
    )
    rows = db.execute(f"{_JOBS} WHERE jobs.id IN ({newest}) ORDER BY finished_at DESC, jobs.id DESC LIMIT ?1", (limit,))
    return [dict(row) for row in rows]


def done_beside(db: sqlite3.Connection) -> int:
    """Windows of jobs that were done while the unfinished ones waited: with them, progress never goes back."""
    marks = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
    since = f"(SELECT min(created_at) FROM jobs WHERE state IN ({marks}))"
    query = f"SELECT coalesce(sum(total), 0) FROM jobs WHERE state = 'done' AND finished_at >= {since}"
    return int(db.execute(query).fetchone()[0])


def doubtful_jobs(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Results whose summary names doubts; newest first."""
    rows = db.execute(
        f"{_JOBS} WHERE jobs.id IN (SELECT id FROM jobs WHERE state = 'done' ORDER BY id DESC LIMIT ?)"
        " AND files.state <> 'superseded' AND json_array_length(summary, '$.doubts') > 0"
        " ORDER BY jobs.id DESC LIMIT ?",
        (_LOOKED_THROUGH, limit),
    )
    return [dict(row) for row in rows]


def waiting_jobs(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Jobs that wait, each with the job whose answers it will take over, or whose result it needs."""
    rows = db.execute(
        "SELECT id, name, coalesce((SELECT other.id FROM jobs AS other WHERE other.fingerprint = jobs.fingerprint"
        " AND other.recipe = jobs.recipe AND other.state IN ('queued', 'running', 'merging') LIMIT 1),"
        " (SELECT needed_id FROM needs JOIN jobs AS other ON other.id = needed_id WHERE job_id = jobs.id"
        " AND other.state <> 'done' LIMIT 1)) AS waits_for"
        " FROM jobs WHERE state = 'waiting' ORDER BY priority DESC, id LIMIT ?",
        (limit,),
    )
    return [dict(row) for row in rows]


def newest_answers(db: sqlite3.Connection, after: int, limit: int) -> list[RawAnswer]:
    """The newest answers with an id above `after`, oldest first. Older ones are left out where there are more."""
    rows = db.execute(
        "SELECT * FROM (SELECT answers.*, jobs.id AS job_id, jobs.name, jobs.pipeline FROM answers"
        " LEFT JOIN jobs ON jobs.id = (SELECT max(id) FROM jobs WHERE fingerprint = answers.fingerprint"
        " AND recipe = answers.asked) WHERE answers.id > ? ORDER BY answers.id DESC LIMIT ?) ORDER BY id",
        (after, limit),
    )
    return [_raw(row, row["job_id"], row["name"] or "", row["pipeline"] or "") for row in rows]


def job_answers(db: sqlite3.Connection, job_id: int, after: int, limit: int) -> list[RawAnswer]:
    """The first answers of a job with an id above `after`, in order of id: page by page, all of them."""
    rows = db.execute(
        "SELECT answers.*, jobs.name, jobs.pipeline FROM windows JOIN answers ON answers.id = answer_id"
        " JOIN jobs ON jobs.id = job_id WHERE job_id = ? AND windows.state = 'answered' AND answer_id > ?"
        " ORDER BY answer_id LIMIT ?",
        (job_id, after, limit),
    )
    return [_raw(row, job_id, row["name"], row["pipeline"]) for row in rows]


def _raw(row: sqlite3.Row, job: int | None, name: str, pipeline: str) -> RawAnswer:
    return RawAnswer(
        id=row["id"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        text=row["text"],
        tokens=msgspec.msgpack.decode(row["tokens"], type=list[Token]),
        finish=row["finish"],
        answered_at=row["answered_at"],
        option_logprobs=msgspec.json.decode(row["option_logprobs"], type=list[float]),
        job=job,
        name=name,
        pipeline=pipeline,
    )
