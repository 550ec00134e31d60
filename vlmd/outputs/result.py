"""What a job's answers come to: one document, the same whatever crashed on the way.

Everything that depends on the run (workers, batches, timings, times of day) stands in its `run` section.
Pure: rows go in, plain data comes out.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec

from vlmd import __version__
from vlmd.core.answers import StoredAnswer, StoredWindow
from vlmd.core.merge import MergedEvent, WindowEvents, merge_counts, merge_events
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.events import EventsTask, ParsedAnswer, parse_answer
from vlmd.core.video import VideoFacts

SCHEMA = "vlmd.result/1"
_DIGITS = 4
"""Decimals of probabilities: more would only show in which batch a window was answered."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The job a result is made of, as the database has it."""

    job: int
    pipeline: str
    name: str
    facts: VideoFacts
    recipe: Recipe
    reused: int
    created_at: int
    started_at: int | None


def build(source: Source, task: EventsTask, windows: Sequence[StoredWindow]) -> dict[str, Any]:
    """The whole result document."""
    parsed = [(window, _parse(window.answer, task)) for window in windows if window.answer is not None]
    seen = [WindowEvents(w.index, w.start_ms, w.end_ms, answer.events) for w, answer in parsed]
    return {
        "schema": SCHEMA,
        "video": _video(source),
        "pipeline": source.pipeline,
        "task": {"name": "events", "labels": task.labels, "teams": task.teams, "gap_s": task.gap_ms / 1000},
        "model": {
            "name": source.recipe.model,
            "family": source.recipe.family,
            "revision": source.recipe.revision,
            "precision": source.recipe.precision,
        },
        "recipe": {"digest": source.recipe.digest(), **msgspec.to_builtins(source.recipe)},
        "coverage": _coverage(source.facts, windows),
        "answers": _answers(parsed),
        "failed_windows": [_failed(window) for window in windows if window.state == "failed"],
        "unparseable_windows": [_unparseable(w) for w, answer in parsed if answer.outcome == "unparseable"],
        "events_at_gap_s": {str(gap // 1000): count for gap, count in merge_counts(seen).items()},
        "events": [_event(event) for event in merge_events(seen, task.gap_ms)],
        "run": _run(source, windows),
    }


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """What lists and screens show of a result."""
    return {
        "events": len(document["events"]),
        "windows_with_events": document["answers"]["events"],
        "windows_with_none": document["answers"]["none"],
        "unparseable": document["answers"]["unparseable"],
        "repaired": document["answers"]["repaired"],
        "degenerate": document["answers"]["degenerate"],
        "truncated": document["video"]["truncated"],
    }


def _parse(answer: StoredAnswer, task: EventsTask) -> ParsedAnswer:
    return parse_answer(answer.text, answer.tokens, answer.finish, task)


def _video(source: Source) -> dict[str, Any]:
    facts = source.facts
    return {
        "name": source.name,
        "sha256": facts.fingerprint,
        "size_bytes": facts.size_bytes,
        "duration_s": facts.duration_ms / 1000,
        "first_picture_s": facts.start_ms / 1000,
        "width": facts.width,
        "height": facts.height,
        "rotation": facts.rotation,
        "pictures": facts.frames,
        "container": facts.container,
        "codec": facts.codec,
        "truncated": facts.truncated,
        "bad_packets": facts.bad_packets,
    }


def _coverage(facts: VideoFacts, windows: Sequence[StoredWindow]) -> dict[str, Any]:
    """How much of the video was really looked at."""
    answered = [window for window in windows if window.answer is not None]
    seen = _united([(window.start_ms, window.end_ms) for window in answered])
    asked = sum(window.answer.frames_asked for window in answered if window.answer)
    shown = sum(len(window.answer.frame_times_ms) for window in answered if window.answer)
    return {
        "windows": len(windows),
        "answered": len(answered),
        "failed": sum(window.state == "failed" for window in windows),
        "pending": sum(window.state in ("queued", "leased") for window in windows),
        "seen_s": seen / 1000,
        "share_of_video": round(seen / facts.duration_ms, _DIGITS) if facts.duration_ms else 0.0,
        "pictures_missing": asked - shown,
        "degraded": sum(window.answer.degraded for window in answered if window.answer),
    }


def _united(spans: list[tuple[int, int]]) -> int:
    """Milliseconds covered by spans that may overlap."""
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _answers(parsed: list[tuple[StoredWindow, ParsedAnswer]]) -> dict[str, Any]:
    """How the answers read: a result of nothing but "none", or nothing that parses, must not look like a finding."""
    answers = [answer for _, answer in parsed]
    count = len(answers)
    unparseable = sum(answer.outcome == "unparseable" for answer in answers)
    repaired = sum(answer.repaired for answer in answers)
    problems: dict[str, int] = {}
    for answer in answers:
        for problem in answer.problems:
            problems[problem] = problems.get(problem, 0) + 1
    return {
        "events": sum(answer.outcome == "events" for answer in answers),
        "none": sum(answer.outcome == "none" for answer in answers),
        "unparseable": unparseable,
        "repaired": repaired,
        "degenerate": sum(answer.degenerate for answer in answers),
        "cut_off": sum(answer.truncated for answer in answers),
        "share_unparseable": round(unparseable / count, _DIGITS) if count else 0.0,
        "share_repaired": round(repaired / count, _DIGITS) if count else 0.0,
        "problems": dict(sorted(problems.items())),
    }


def _failed(window: StoredWindow) -> dict[str, Any]:
    return {**_span(window.index, window.start_ms, window.end_ms), "code": window.code, "reason": window.reason}


def _unparseable(window: StoredWindow) -> dict[str, Any]:
    text = window.answer.text if window.answer else ""
    return {**_span(window.index, window.start_ms, window.end_ms), "text": text[:300]}


def _event(event: MergedEvent) -> dict[str, Any]:
    return {
        "start_s": event.start_ms / 1000,
        "end_s": event.end_ms / 1000,
        "label": event.label,
        "team": event.team,
        "confidence": _rounded(event.confidence),
        "stated_confidence": event.stated_confidence,
        "details": event.details,
        "label_known": event.label_known,
        "evidence": [
            {
                **_span(one.index, one.start_ms, one.end_ms),
                "confidence": _rounded(one.confidence),
                "stated_confidence": one.stated_confidence,
                "details": one.details,
            }
            for one in event.evidence
        ],
    }


def _span(index: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"window": index, "start_s": start_ms / 1000, "end_s": end_ms / 1000}


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(probability, _DIGITS)


def _run(source: Source, windows: Sequence[StoredWindow]) -> dict[str, Any]:
    """Everything that another run of the same would have otherwise."""
    answers = [window.answer for window in windows if window.answer is not None]
    return {
        "vlmd": __version__,
        "job": source.job,
        "created": _utc(source.created_at),
        "started": _utc(source.started_at),
        "last_answer": _utc(max((answer.answered_at for answer in answers), default=None)),
        "answers_reused": source.reused,
        "workers": sorted({answer.worker for answer in answers}),
        "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
        "new_tokens": sum(answer.new_tokens for answer in answers),
        "windows": [
            {
                "window": window.index,
                "worker": answer.worker,
                "attempt": answer.attempt,
                "batch": answer.batch,
                "prepare_ms": answer.prepare_ms,
                "generate_ms": answer.generate_ms,
                "memory_planned": answer.memory_planned,
                "memory_used": answer.memory_used,
                "answered": _utc(answer.answered_at),
            }
            for window in windows
            if (answer := window.answer) is not None
        ],
    }


def _utc(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="milliseconds")
