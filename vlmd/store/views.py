"""Jobs and files as they are shown to people and programs: plain data, times in seconds and UTC, names escaped."""

from __future__ import annotations

import datetime
import json
import sqlite3
from typing import Any

from vlmd.core import names
from vlmd.core.errors import REMEDY, Code
from vlmd.manifests import SUFFIXES
from vlmd.store import reader, screen

REFUSED_SHOWN = 50
FAILED_SHOWN = 200
WAITING_SHOWN = 10
TROUBLES_ON_SCREEN = 20
_QUESTIONS = tuple(suffix.encode() for suffix in SUFFIXES)


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
        "inputs": json.loads(row["inputs"]) if row["inputs"] else None,
        "needs": [
            {"pipeline": one["pipeline"], "job": one["job"], "state": one["state"]} for one in reader.needed(db, job_id)
        ],
        "degraded": reader.degraded(db, job_id),
        "memory": reader.memory(db, job_id),
        "failed_windows": [_window(window) for window in reader.failed_windows(db, job_id, FAILED_SHOWN)],
        "history": [{**entry, "at": utc(entry["at"])} for entry in reader.transitions(db, job_id)],
    }


def queue_status(db: sqlite3.Connection) -> dict[str, Any]:
    """The queue as a whole: jobs by state, windows of unfinished jobs, and whatever went wrong with what helps."""
    held = reader.held(db, _QUESTIONS)
    return {
        **_totals(db),
        **_troubles(db, REFUSED_SHOWN),
        "waiting": screen.waiting_jobs(db, WAITING_SHOWN),
        "held": {"videos": len(held), "first": [names.shown(path) for path in held[:WAITING_SHOWN]]},
    }


def screen_status(db: sqlite3.Connection, jobs: int) -> dict[str, Any]:
    """What one frame of a live screen shows: at most `jobs` unfinished jobs, as many ended ones, some troubles."""
    return {
        **_totals(db),
        **_troubles(db, TROUBLES_ON_SCREEN),
        "done_beside": screen.done_beside(db),
        "active": [_job(row) for row in screen.active_jobs(db, jobs)],
        "ended": [_job(row) for row in screen.ended_jobs(db, jobs)],
    }


def _totals(db: sqlite3.Connection) -> dict[str, Any]:
    return {"jobs": reader.job_counts(db), "windows": reader.window_totals(db)}


def _troubles(db: sqlite3.Connection, limit: int) -> dict[str, Any]:
    """Files and jobs without a result, and results that somebody should look at; `open_ends` counts the former."""
    return {
        "open_ends": reader.open_ends(db),
        "refused": [_refused(row) for row in reader.refused(db, limit)],
        "failed": [_job(row) for row in reader.failed_jobs(db, limit)],
        "hooks": {**reader.notice_counts(db), "untold": reader.untold(db, limit)},
        "doubtful": [_job(row) for row in screen.doubtful_jobs(db, limit)],
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
        "size": row["size"],
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
