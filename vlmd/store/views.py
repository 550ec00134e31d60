"""Jobs and files as they are shown to people and programs: plain data, times in seconds and UTC, names escaped."""

from __future__ import annotations

import datetime
import json
import sqlite3
from typing import Any

from vlmd.core import names
from vlmd.core.errors import REMEDY, Code
from vlmd.store import reader

REFUSED_SHOWN = 50
FAILED_SHOWN = 200


def job_list(db: sqlite3.Connection, state: str | None, pipeline: str | None, limit: int) -> list[dict[str, Any]]:
    return [_job(row) for row in reader.jobs(db, state, pipeline, limit)]


def job_detail(db: sqlite3.Connection, job_id: int) -> dict[str, Any] | None:
    """A job with its video, recipe, failed windows and history; None if there is no such job."""
    row = reader.job(db, job_id)
    if row is None:
        return None
    return {
        **_job(row),
        "video": json.loads(row["facts"]) if row["facts"] else None,
        "recipe": json.loads(row["recipe_body"]) if row["recipe_body"] else None,
        "failed_windows": [_window(window) for window in reader.failed_windows(db, job_id, FAILED_SHOWN)],
        "history": [{**entry, "at": utc(entry["at"])} for entry in reader.transitions(db, job_id)],
    }


def queue_status(db: sqlite3.Connection) -> dict[str, Any]:
    """The queue as a whole: jobs by state, windows of unfinished jobs, refused files with what helps."""
    return {
        "jobs": reader.job_counts(db),
        "windows": reader.window_totals(db),
        "refused": [_refused(row) for row in reader.refused(db, REFUSED_SHOWN)],
        "failed": [_job(row) for row in reader.failed_jobs(db, REFUSED_SHOWN)],
        "hooks": {**reader.notice_counts(db), "untold": reader.untold(db, REFUSED_SHOWN)},
    }


def utc(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC."""
    if ms is None:
        return None
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="milliseconds")


def _job(row: dict[str, Any]) -> dict[str, Any]:
    facts = json.loads(row["facts"]) if row["facts"] else {}
    return {
        "id": row["id"],
        "pipeline": row["pipeline"],
        "name": row["name"],
        "path": names.shown(row["path"]),
        "origin": row["origin"],
        "state": row["state"],
        **_why(row),
        "model": row["model"],
        "result": f"{row['result']}.json" if row["state"] == "done" else None,
        "duration_s": facts["duration_ms"] / 1000 if facts else None,
        "truncated": facts.get("truncated"),
        "windows": {key: row[key] for key in ("total", "answered", "failed", "leased", "reused")},
        "summary": json.loads(row["summary"]) if row["summary"] else None,
        "created": utc(row["created_at"]),
        "started": utc(row["started_at"]),
        "finished": utc(row["finished_at"]),
    }


def _why(row: dict[str, Any]) -> dict[str, Any]:
    """Code, reason and what helps; all None where nothing is wrong."""
    code = row["code"]
    return {"code": code, "reason": row["reason"], "remedy": REMEDY[Code(code)] if code else None}


def _window(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "window": row["window"],
        "start_s": row["start_ms"] / 1000,
        "end_s": row["end_ms"] / 1000,
        "failures": row["failures"],
        **_why(row),
    }


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    return {"path": names.shown(row["path"]), **_why(row), "at": utc(row["changed_at"])}
