"""Forgetting what nobody needs any more: found in a snapshot, dropped by verbs of a few rows each.

Never forgotten: whatever is unfinished, answers that an unfinished job may take over, answers of a job that is still
kept, a file that was taken (or it would be taken again), and who owns a result. Ids are never used again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import aiosqlite
import msgspec

from vlmd.core.retention import Cutoffs
from vlmd.core.states import ACTIVE_JOBS, ENDED_JOBS
from vlmd.store.rows import change, one

ROWS = 250
"""Most rows of a kind that one transaction drops."""

_ACTIVE = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
_ENDED = ", ".join(f"'{state}'" for state in ENDED_JOBS)
_ENDED_BEFORE = f"jobs.state IN ({_ENDED}) AND coalesce(jobs.finished_at, jobs.changed_at) <"
_AWAITED = (
    f"EXISTS (SELECT 1 FROM jobs WHERE state IN ({_ACTIVE}) AND (fingerprint IS NULL OR"
    " fingerprint = answers.fingerprint))"
)
"""An unfinished job may take this answer over. Before its video was read, nobody knows which ones it may."""


class Forgotten(msgspec.Struct):
    """How much goes, or has gone."""

    jobs: int = 0
    windows: int = 0
    history: int = 0
    leases: int = 0
    files: int = 0
    answers: int = 0
    backups: int = 0
    """Copies of the database that an update left."""
    bytes: int = 0
    """Of the database and its copies: estimated before, measured after."""


class Room(msgspec.Struct, frozen=True):
    """Bytes of the database's file."""

    database: int
    free: int
    """Hold nothing by now, and are used again before the file grows."""


def expected(db: sqlite3.Connection, cutoffs: Cutoffs) -> Forgotten:
    """How much would go now, with the bytes of it estimated from the rows' contents."""
    values = msgspec.structs.asdict(cutoffs)
    old, quiet = f"{_ENDED_BEFORE} :jobs", f"{_ENDED_BEFORE} :history"
    of_old, of_quiet = (f"job_id IN (SELECT id FROM jobs WHERE {which})" for which in (old, quiet))
    rows = {
        "jobs": ("400 + coalesce(length(facts) + length(plan), 0)", f"jobs WHERE {old}"),
        "windows": ("160 + length(pts) + length(times_ms)", f"windows WHERE {of_old}"),
        "history": (
            "80 + coalesce(length(reason), 0)",
            f"transitions WHERE {of_old} OR entity = 'window' AND {of_quiet} OR entity = 'file' AND at < :history",
        ),
        "leases": ("50", f"leases WHERE {of_quiet}"),
        "files": ("120 + 2 * length(path)", f"files WHERE {_DISPENSABLE} AND NOT EXISTS ({_KEPT_JOB})"),
        "answers": (
            "330 + length(text) + length(tokens) + length(frame_times_ms)",
            f"answers WHERE {_UNNEEDED}",
        ),
    }
    found = Forgotten()
    for name, (size, which) in rows.items():
        count, size_of_all = db.execute(f"SELECT count(*), coalesce(sum({size}), 0) FROM {which}", values).fetchone()
        setattr(found, name, count)
        found.bytes += size_of_all
    return found


_KEPT_JOB = f"SELECT 1 FROM jobs WHERE file_id = files.id AND NOT ({_ENDED_BEFORE} :jobs)"
_DISPENSABLE = "(files.state = 'superseded' OR files.origin = 'submit') AND files.changed_at < :jobs"
"""Of the inbox's files, what lies there now must be remembered: it would be taken for new."""
_KEPT_WINDOW = (
    f"SELECT 1 FROM windows JOIN jobs ON jobs.id = job_id WHERE answer_id = answers.id AND NOT ({_ENDED_BEFORE} :jobs)"
)
_UNNEEDED = f"answered_at < :answers AND NOT EXISTS ({_KEPT_WINDOW}) AND NOT {_AWAITED}"


def quiet_jobs(db: sqlite3.Connection, cutoffs: Cutoffs) -> list[int]:
    """Jobs whose windows' history, or leases, may go."""
    rows = db.execute(
        f"SELECT id FROM jobs WHERE {_ENDED_BEFORE} ? AND (EXISTS (SELECT 1 FROM transitions WHERE job_id = jobs.id"
        " AND entity = 'window') OR EXISTS (SELECT 1 FROM leases WHERE job_id = jobs.id)) ORDER BY id",
        (cutoffs.history,),
    )
    return [job for (job,) in rows]


def old_jobs(db: sqlite3.Connection, cutoffs: Cutoffs) -> list[int]:
    rows = db.execute(f"SELECT id FROM jobs WHERE {_ENDED_BEFORE} ? ORDER BY id", (cutoffs.jobs,))
    return [job for (job,) in rows]


def spare_files(db: sqlite3.Connection, cutoffs: Cutoffs) -> list[int]:
    """Files without a job whose memory serves nobody."""
    values = msgspec.structs.asdict(cutoffs)
    rows = db.execute(f"SELECT id FROM files WHERE {_DISPENSABLE} AND NOT EXISTS ({_KEPT_JOB}) ORDER BY id", values)
    return [file for (file,) in rows]


def spare_answers(db: sqlite3.Connection, cutoffs: Cutoffs) -> list[int]:
    """Old answers that no kept job and no unfinished one needs."""
    rows = db.execute(f"SELECT id FROM answers WHERE {_UNNEEDED}", msgspec.structs.asdict(cutoffs))
    return [answer for (answer,) in rows]


async def drop_history(db: aiosqlite.Connection, job_id: int, cutoff: int) -> tuple[int, int]:
    """Some of the job's windows' transitions and leases. Returns how many of each; none when all are gone."""
    if not await _ended_before(db, job_id, cutoff):
        return 0, 0
    history = await change(
        db,
        "DELETE FROM transitions WHERE id IN"
        " (SELECT id FROM transitions WHERE job_id = ? AND entity = 'window' LIMIT ?)",
        (job_id, ROWS),
    )
    leases = await change(
        db, "DELETE FROM leases WHERE id IN (SELECT id FROM leases WHERE job_id = ? LIMIT ?)", (job_id, ROWS)
    )
    return history, leases


async def drop_windows(db: aiosqlite.Connection, job_id: int, cutoff: int) -> int:
    """Some of the job's windows, the first ones first: without its first window a job is not merged any more."""
    if not await _ended_before(db, job_id, cutoff):
        return 0
    return await change(
        db,
        "DELETE FROM windows WHERE id IN (SELECT id FROM windows WHERE job_id = ? ORDER BY idx LIMIT ?)",
        (job_id, ROWS),
    )


async def drop_job(db: aiosqlite.Connection, job_id: int, cutoff: int) -> int | None:
    """The job, without windows by now, and its history; its result stays its own.

    Returns how many entries of history went; None if the job is kept.
    """
    if not await _ended_before(db, job_id, cutoff):
        return None
    await change(
        db,
        "INSERT OR IGNORE INTO claims SELECT result, fingerprint FROM jobs WHERE id = ? AND result IS NOT NULL AND"
        " EXISTS (SELECT 1 FROM transitions WHERE job_id = jobs.id AND entity = 'job' AND new = 'merging')",
        (job_id,),
    )
    await change(db, "DELETE FROM jobs WHERE id = ?", (job_id,))
    return await change(db, "DELETE FROM transitions WHERE job_id = ?", (job_id,))


async def drop_answers(db: aiosqlite.Connection, answers: Collection[int]) -> int:
    """Those of these answers that nobody needs by now."""
    return await change(
        db,
        f"DELETE FROM answers WHERE id IN ({_marks(answers)}) AND NOT {_AWAITED}"
        " AND NOT EXISTS (SELECT 1 FROM windows WHERE answer_id = answers.id)",
        answers,
    )


async def drop_files(db: aiosqlite.Connection, ids: Collection[int]) -> int:
    return await change(
        db,
        f"DELETE FROM files WHERE id IN ({_marks(ids)}) AND (state = 'superseded' OR origin = 'submit')"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id)",
        ids,
    )


async def drop_file_history(db: aiosqlite.Connection, cutoff: int) -> int:
    """Some of what became of files before the cut-off."""
    return await change(
        db,
        "DELETE FROM transitions WHERE id IN (SELECT id FROM transitions WHERE job_id IS NULL AND entity = 'file'"
        " AND at < ? LIMIT ?)",
        (cutoff, ROWS),
    )


async def drop_cuts(db: aiosqlite.Connection, cutoff: int) -> int:
    """Scenes found before the cut-off of videos that no job is kept of."""
    return await change(
        db,
        "DELETE FROM cuts WHERE found_at < ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE"
        " jobs.fingerprint = cuts.fingerprint)",
        (cutoff,),
    )


async def room(db: aiosqlite.Connection) -> Room:
    row = await one(
        db,
        "SELECT page_count * page_size, freelist_count * page_size"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    assert row is not None
    return Room(*row)


async def _ended_before(db: aiosqlite.Connection, job_id: int, cutoff: int) -> aiosqlite.Row | None:
    """The job, unless somebody took it up again since it was found."""
    return await one(db, f"SELECT * FROM jobs WHERE id = ? AND {_ENDED_BEFORE} ?", (job_id, cutoff))


def _marks(values: Collection[int]) -> str:
    return ", ".join("?" for _ in values)
