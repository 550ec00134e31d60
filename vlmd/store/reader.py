"""Snapshots of the database for everybody who does not write it: the merger, the control API, the command line.

Every function takes a read-only connection; what it returns is one consistent moment, and plain data.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from vlmd.core.answers import StoredAnswer, StoredWindow, Token
from vlmd.core.errors import StoreError
from vlmd.core.states import ACTIVE_JOBS


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection inside one transaction. Raises `StoreError` where there is no database."""
    if not os.access(path.parent, os.X_OK) and os.path.isdir(path.parent):
        raise StoreError(f"only the user whose daemon it is may read {path}; ask the daemon, while it runs")
    if not path.exists():
        raise StoreError(f"there is no database at {path}; has vlmd ever run with this configuration?")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def job(db: sqlite3.Connection, job_id: int) -> dict[str, Any] | None:
    """A job's row with its file's path and its recipe's text; None if there is no such job."""
    row = db.execute(
        "SELECT jobs.*, files.path, files.origin, files.size, recipes.body AS recipe_body FROM jobs"
        " JOIN files ON files.id = file_id LEFT JOIN recipes ON digest = recipe WHERE jobs.id = ?",
        (job_id,),
    ).fetchone()
    return None if row is None else dict(row)


def jobs(db: sqlite3.Connection, state: str | None, pipeline: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest jobs, optionally of one state or pipeline, in the order they came."""
    rows = db.execute(
        "SELECT * FROM (SELECT jobs.*, files.path, files.origin, files.size FROM jobs JOIN files ON files.id = file_id"
        " WHERE (?1 IS NULL OR jobs.state = ?1) AND (?2 IS NULL OR pipeline = ?2) ORDER BY jobs.id DESC LIMIT ?3)"
        " ORDER BY id",
        (state, pipeline, limit),
    )
    return [dict(row) for row in rows]


def job_counts(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())


class Depth(msgspec.Struct, frozen=True):
    """How much there is to do, by state."""

    jobs: dict[str, int]
    windows: dict[str, int]
    """Those of unfinished jobs."""
    notices: dict[str, int]
    """What hooks have not taken yet."""


class Moves(msgspec.Struct, frozen=True):
    """So many files, jobs or windows that came to the same state for the same reason."""

    entity: str
    new: str
    code: str | None
    count: int
    newest: int
    """The last transition among them."""


def depth(db: sqlite3.Connection) -> Depth:
    totals = window_totals(db)
    queued = totals.pop("total") - sum(totals.values())
    return Depth(job_counts(db), {"queued": queued, **totals}, notice_counts(db))


def notice_counts(db: sqlite3.Connection) -> dict[str, int]:
    given_up = dict(db.execute("SELECT given_up, count(*) FROM notices GROUP BY given_up").fetchall())
    return {"waiting": given_up.get(0, 0), "given_up": given_up.get(1, 0)}


def untold(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Notices that a hook did not take at the last try, newest first."""
    rows = db.execute(
        "SELECT job_id AS job, event, tries, given_up, problem FROM notices WHERE tries > 0 ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [{**row, "given_up": bool(row["given_up"])} for row in map(dict, rows)]


def newest_transition(db: sqlite3.Connection) -> int:
    (newest,) = db.execute("SELECT coalesce(max(id), 0) FROM transitions").fetchone()
    return int(newest)


def moves(db: sqlite3.Connection, after: int) -> list[Moves]:
    """What has moved since the transition `after`, summed up."""
    rows = db.execute(
        "SELECT entity, new, code, count(*), max(id) FROM transitions WHERE id > ? GROUP BY entity, new, code", (after,)
    )
    return [Moves(*row) for row in rows]


def window_totals(db: sqlite3.Connection) -> dict[str, int]:
    """Windows of unfinished jobs: all, answered, failed, in workers' hands."""
    row = db.execute(
        "SELECT coalesce(sum(total), 0) AS total, coalesce(sum(answered), 0) AS answered,"
        " coalesce(sum(failed), 0) AS failed, coalesce(sum(leased), 0) AS leased FROM jobs"
        " WHERE state IN ('indexing', 'waiting', 'queued', 'running', 'merging')"
    ).fetchone()
    return dict(row)


_WITHOUT_RESULT = (
    " FROM jobs JOIN files ON files.id = file_id"
    " WHERE jobs.state IN ('failed', 'quarantined') AND files.state <> 'superseded'"
)
"""Jobs that failed, and whose file is still the one they were for."""


def failed_jobs(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Jobs without a result that somebody may want to look at, newest first."""
    columns = "SELECT jobs.*, files.path, files.origin, files.size"
    rows = db.execute(f"{columns}{_WITHOUT_RESULT} ORDER BY jobs.id DESC LIMIT ?", (limit,))
    return [dict(row) for row in rows]


def open_ends(db: sqlite3.Connection) -> dict[str, int]:
    """How many unfinished jobs, jobs without a result, and refused files there are."""
    unfinished = ", ".join(f"'{state}'" for state in ACTIVE_JOBS)
    queries = {
        "unfinished": f"SELECT count(*) FROM jobs WHERE state IN ({unfinished})",
        "failed": f"SELECT count(*){_WITHOUT_RESULT}",
        "refused": "SELECT count(*) FROM files WHERE state = 'refused'",
    }
    return {name: db.execute(query).fetchone()[0] for name, query in queries.items()}


def refused(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Files that cannot have a job, newest first."""
    rows = db.execute(
        "SELECT path, code, reason, changed_at FROM files WHERE state = 'refused' ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [dict(row) for row in rows]


def held(db: sqlite3.Connection, but: tuple[bytes, ...]) -> list[bytes]:
    """Videos in the inbox that nobody asks anything of yet; files whose names end in one of `but` are none."""
    rows = db.execute(
        "SELECT path FROM files WHERE state = 'registered' AND origin = 'inbox'"
        " AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_id = files.id) ORDER BY id"
    )
    return [path for (path,) in rows if not path.lower().endswith(but)]


def windows(db: sqlite3.Connection, job_id: int) -> Iterator[StoredWindow]:
    """A job's windows in order, each with its answer."""
    rows = db.execute(
        "SELECT windows.idx, windows.start_ms, windows.end_ms, windows.state, windows.failures, windows.code,"
        " windows.reason, answer_id, answers.* FROM windows LEFT JOIN answers ON answers.id = answer_id"
        " WHERE job_id = ? ORDER BY idx",
        (job_id,),
    )
    for row in rows:
        yield StoredWindow(
            index=row["idx"],
            start_ms=row[1],
            end_ms=row[2],
            state=row["state"],
            failures=row["failures"],
            code=row["code"],
            reason=row["reason"],
            answer=_answer(row) if row["answer_id"] is not None else None,
        )


def failed_windows(db: sqlite3.Connection, job_id: int, limit: int) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT idx AS window, start_ms, end_ms, code, reason, failures FROM windows"
        " WHERE job_id = ? AND state = 'failed' ORDER BY idx LIMIT ?",
        (job_id, limit),
    )
    return [dict(row) for row in rows]


def memory(db: sqlite3.Connection, job_id: int) -> dict[str, Any] | None:
    """Of the batches that a job's windows were part of, the one that took most, else that was to; None without any."""
    row = db.execute(
        "SELECT batch, memory_planned AS planned, memory_used AS used FROM windows JOIN answers"
        " ON answers.id = answer_id WHERE job_id = ? AND memory_planned IS NOT NULL"
        " ORDER BY memory_used DESC, memory_planned DESC LIMIT 1",
        (job_id,),
    ).fetchone()
    return dict(row) if row else None


def degraded(db: sqlite3.Connection, job_id: int) -> int:
    """How many windows of a job were answered under less than was asked."""
    query = "SELECT count(*) FROM windows JOIN answers ON answers.id = answer_id WHERE job_id = ? AND degraded"
    return int(db.execute(query, (job_id,)).fetchone()[0])


def transitions(db: sqlite3.Connection, job_id: int) -> list[dict[str, Any]]:
    """What became of a job, in order."""
    rows = db.execute(
        "SELECT at, old, new, code, reason FROM transitions WHERE job_id = ? AND entity = 'job' ORDER BY id", (job_id,)
    )
    return [dict(row) for row in rows]


def _answer(row: sqlite3.Row) -> StoredAnswer:
    fields = {name: row[name] for name in StoredAnswer.__struct_fields__}
    fields["degraded"] = bool(row["degraded"])
    fields["tokens"] = msgspec.msgpack.decode(row["tokens"], type=list[Token])
    fields["option_logprobs"] = msgspec.json.decode(row["option_logprobs"], type=list[float])
    fields["frame_times_ms"] = msgspec.json.decode(row["frame_times_ms"], type=list[int])
    return StoredAnswer(**fields)


def needed(db: sqlite3.Connection, job_id: int) -> list[dict[str, Any]]:
    """The jobs whose results a job needs: pipeline, job, state, and what they found, as JSON."""
    rows = db.execute(
        "SELECT jobs.pipeline, jobs.id AS job, jobs.state, jobs.outcome FROM needs JOIN jobs ON jobs.id = needed_id"
        " WHERE job_id = ? ORDER BY jobs.pipeline",
        (job_id,),
    )
    return [dict(row) for row in rows]
