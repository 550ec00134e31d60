"""Documents as the daemon sends them, and the frames they make."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from vlmd.core.answers import RawAnswer
from vlmd.core.tasks.events import EventsTask
from vlmd.tui.frame import Frame, make_frame
from vlmd.tui.seen import AnswerPage, Seen

NOW = datetime.datetime(2030, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)
TASK = EventsTask(labels=["Goal", "Yellow card", "Substitution"], teams=["home", "away"])
GB = 10**9


def device(name: str = "cuda:0", **changes: Any) -> dict[str, Any]:
    """A GPU in the middle of a match, unless `changes` say otherwise."""
    return {
        "name": name,
        "label": "NVIDIA L4",
        "state": "busy",
        "reason": None,
        "stage": "generate",
        "uptime_s": 3600.0,
        "model": "idefics3",
        "looking_at": {"job": 1, "name": "match/cup final.mkv", "at_s": 3723.0},
        "windows_per_second": 1.253,
        "tokens_per_second": 81.2,
        "reading": {"utilisation": 97, "memory_used": 14 * GB, "memory_total": 24 * GB, "temperature": 71},
        **changes,
    }


def idle_cpu(name: str = "cpu:0", **changes: Any) -> dict[str, Any]:
    """A worker on the CPU, of which little is known, with nothing to do."""
    reading = dict.fromkeys(("utilisation", "memory_used", "memory_total", "temperature"))
    nothing = {"looking_at": None, "windows_per_second": 0.0, "tokens_per_second": 0.0}
    return device(name, **{"state": "idle", "reading": reading, **nothing, **changes})


def job(number: int, state: str = "queued", name: str | None = None, **changes: Any) -> dict[str, Any]:
    """A video of 20 minutes in 600 windows; `answered`, `failed` and `reused` change how far it is."""
    counts = {key: changes.pop(key, 0) for key in ("answered", "failed", "reused")}
    return {
        "id": number,
        "pipeline": "match",
        "name": name or f"match/game {number}.mkv",
        "state": state,
        "code": None,
        "reason": None,
        "remedy": None,
        "size": 1000,
        "duration_s": 1200.0,
        "windows": {"total": 600, "leased": 0, **counts},
        "summary": None,
        "started": "2030-01-01T11:55:00.000+00:00" if state != "queued" else None,
        "finished": None,
        **changes,
    }


def failed(number: int, code: str, reason: str, remedy: str, name: str | None = None) -> dict[str, Any]:
    return job(number, "failed", name, code=code, reason=reason, remedy=remedy, started=None)


def done(number: int, events: int = 12, name: str | None = None, **changes: Any) -> dict[str, Any]:
    doubts = [f"{changes['failed']} of 600 windows failed"] if changes.get("failed") else []
    doubts += [] if events else ["every one of 600 windows answered none"]
    summary = {"events": events, "doubts": doubts}
    finished = "2030-01-01T11:59:00.000+00:00"
    return job(number, "done", name, **{"answered": 600, "summary": summary, "finished": finished, **changes})


def document(devices: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """What /v1/screen says."""
    return {
        "version": "1.2.3",
        "uptime_s": 4000.0,
        "windows_per_second": sum(one["windows_per_second"] for one in devices),
        "devices": list(devices),
        "inbox": {"settling": [], "ignored": 0, "problem": None},
        "sandbox_missing": [],
        "indexing": {},
        "finding_scenes": {},
        "jobs": {},
        "windows": {"total": 0, "answered": 0, "failed": 0, "leased": 0},
        "done_beside": 0,
        "active": [],
        "ended": [],
        "failed": [],
        "refused": [],
        "doubtful": [],
        "open_ends": {"unfinished": 0, "failed": len(changes.get("failed", [])), "refused": 0},
        **changes,
    }


def answer(number: int, start_s: float, text: str, job: int = 1, name: str = "match/cup final.mkv") -> RawAnswer:
    return RawAnswer(
        id=number,
        start_ms=int(start_s * 1000),
        end_ms=int(start_s * 1000) + 3000,
        text=text,
        tokens=[],
        finish="stop",
        answered_at=0,
        job=job,
        name=name,
        pipeline="match",
    )


def seen(answers: Sequence[RawAnswer]) -> Seen:
    taken = Seen()
    taken.take(AnswerPage(list(answers), {"match": TASK}))
    return taken


def frame(said: dict[str, Any], answers: Sequence[RawAnswer] = ()) -> Frame:
    taken = seen(answers)
    return make_frame(said, taken.newest(100), taken.counts(), NOW)
