"""Answers that other programs kept, as a result: read and merged like our own; what nobody knows is null.

The file is a list of {"time": seconds, "raw": text}, as the soccer scripts write their final predictions. Windows
without an entry are not known to have been asked: such scripts leave out what was answered None, and what failed, so
only the longest stretches without any are told.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import msgspec

from vlmd import __version__
from vlmd.core.answers import Finish
from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.core.tasks.events import EventsTask
from vlmd.core.video import seconds_to_ms
from vlmd.outputs.bodies import Read, body
from vlmd.outputs.result import SCHEMA, count_answers

_NAME = re.compile(r"final_predictions_(?P<model>.+?)_(?:video_)?(?P<video>[0-9]+)\.json")
_LONG_MS = 60_000
"""A stretch without any answer that is worth telling."""
_LAST_SECOND = 10 * 366 * 86_400
_DIGITS = 4


class Sliding(msgspec.Struct, frozen=True):
    """How the video is taken to have been cut."""

    length_ms: int
    step_ms: int
    duration_ms: int | None
    """None: up to the end of the last answer's window."""


class _Entry(msgspec.Struct, frozen=True):
    start_ms: int
    text: str


def imported(
    name: str, data: bytes, pipeline: str, task: EventsTask, sliding: Sliding, video: str | None = None
) -> dict[str, Any]:
    """The result. Every entry of the file is one answer of it; the video is called like the file, if not by `video`.

    Raises `UsageError` for a file that is none of these.
    """
    entries = _entries(name, data)
    read = [
        Read(index, one.start_ms, one.start_ms + sliding.length_ms, task.read(one.text, [], Finish.STOP, []))
        for index, one in enumerate(entries)
    ]
    end_ms = sliding.duration_ms or max((one.end_ms for one in read), default=0)
    spans = [(one.start_ms, one.end_ms) for one in read]
    gaps = _gaps(spans, end_ms)
    missing = [gap for gap in gaps if gap[1] - gap[0] >= _LONG_MS]
    found = _NAME.fullmatch(name)
    return {
        "schema": SCHEMA,
        "imported": True,
        "video": {
            "name": video or (f"video {found['video']}" if found else name),
            "sha256": f"imported:{video or (found['video'] if found else name)}",
            "size_bytes": None,
            "duration_s": end_ms / 1000,
            "truncated": None,
        },
        "pipeline": pipeline,
        "task": {"name": "events", "labels": task.labels, "teams": task.teams, "gap_s": task.gap_ms / 1000},
        "model": {"name": found["model"] if found else None, "family": None, "revision": None, "precision": None},
        "recipe": {"digest": "imported", "prompt": None},
        "inputs": None,
        "needs": [],
        "coverage": {
            "windows": len(read),
            "answered": len(read),
            "failed": 0,
            "pending": 0,
            "seen_s": (end_ms - sum(last - first for first, last in gaps)) / 1000,
            "share_of_video": round(1 - sum(last - first for first, last in gaps) / end_ms, _DIGITS) if end_ms else 0.0,
            "missing_s": sum(last - first for first, last in missing) / 1000,
            "missing": [{"start_s": first / 1000, "end_s": last / 1000} for first, last in missing],
        },
        "answers": count_answers([one.reading for one in read]),
        "doubts": _doubts(read, missing, end_ms),
        "failed_windows": [],
        "unparseable_windows": [
            {"window": one.index, "start_s": one.start_ms / 1000, "end_s": one.end_ms / 1000, "text": entry.text[:300]}
            for one, entry in zip(read, entries, strict=True)
            if one.reading.outcome == "unparseable"
        ],
        **body(task, read, {}).fields,
        "run": {"vlmd": __version__, "file": name, "windows": []},
    }


def _entries(name: str, data: bytes) -> list[_Entry]:
    try:
        rows = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown(name)} does not parse as JSON: {error}") from error
    if not isinstance(rows, list):
        raise UsageError(f'{shown(name)} is no list of {{"time", "raw"}}; other files are not known to hold answers')
    return sorted((_entry(name, number, row) for number, row in enumerate(rows, 1)), key=lambda one: one.start_ms)


def _entry(name: str, number: int, row: object) -> _Entry:
    time, text = (row.get("time"), row.get("raw")) if isinstance(row, dict) else (None, None)
    if not isinstance(time, int | float) or isinstance(time, bool) or not isinstance(text, str):
        raise UsageError(f"{shown(name)}: entry {number} has no time in seconds and raw answer")
    if not math.isfinite(time) or not 0 <= time <= _LAST_SECOND:
        raise UsageError(f"{shown(name)}: entry {number} is at {time} s, which is no moment of a video")
    return _Entry(seconds_to_ms(float(time)), text)


def _gaps(spans: list[tuple[int, int]], end_ms: int) -> list[tuple[int, int]]:
    """What no window shows."""
    gaps, reached = [], 0
    for start, stop in sorted(spans):
        if start > reached:
            gaps.append((reached, min(start, end_ms)))
        reached = max(reached, stop)
    if reached < end_ms:
        gaps.append((reached, end_ms))
    return gaps


def _doubts(read: list[Read], missing: list[tuple[int, int]], end_ms: int) -> list[str]:
    if not read:
        return ["the file holds no answer at all: nobody can tell whether nothing was seen or nothing was asked"]
    found = []
    if missing:
        lost = sum(last - first for first, last in missing)
        found.append(f"{lost / 60_000:.0f} of {end_ms / 60_000:.0f} minutes have no answer for a minute or more")
    degenerate = sum(one.reading.degenerate for one in read)
    if degenerate:
        found.append(f"{degenerate} of {len(read)} answers got stuck in a loop")
    unparseable = sum(one.reading.outcome == "unparseable" for one in read)
    if unparseable:
        found.append(f"{unparseable} of {len(read)} answers cannot be read")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
