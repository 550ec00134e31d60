"""What a job's answers come to: one document, the same whatever crashed on the way.

Everything that depends on the run (workers, batches, timings, times of day) stands in its `run` section.
Pure: rows go in, plain data comes out.
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, get_args

import msgspec

from vlmd import __version__
from vlmd.core.answers import StoredAnswer, StoredWindow
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.base import Reading, Said
from vlmd.core.tasks.registry import Task
from vlmd.core.video import VideoFacts
from vlmd.outputs.bodies import Body, Read, body, span

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
    inputs: Inputs | None = None
    needed: dict[str, Outcome] = {}
    """What the pipelines found that the job's questions, or its ensemble, depend on."""
    reused: int
    created_at: int
    started_at: int | None


class Built(msgspec.Struct, frozen=True):
    """A result, and what of it is told elsewhere."""

    document: dict[str, Any]
    summary: dict[str, Any]
    """What lists and screens show."""
    outcome: Outcome
    """What other pipelines see."""


def build(source: Source, task: Task, windows: Sequence[StoredWindow]) -> Built:
    """The whole result."""
    read = [(window, _read(window, window.answer, task)) for window in windows if window.answer is not None]
    own = body(task, [one for _, one in read], source.needed)
    document = {
        "schema": SCHEMA,
        "video": _video(source),
        "pipeline": source.pipeline,
        "task": {"name": task.__struct_config__.tag, **_task(task)},
        "model": {
            "name": source.recipe.model,
            "family": source.recipe.family,
            "revision": source.recipe.revision,
            "precision": source.recipe.precision,
        },
        "recipe": {"digest": source.recipe.digest(), **_plain(source.recipe)},
        "inputs": None if source.inputs is None else _inputs(source.inputs),
        "needs": [{"pipeline": name, "outcome": _digest(found)} for name, found in sorted(source.needed.items())],
        "coverage": _coverage(source.facts, windows),
        "answers": _answers([one.reading for _, one in read]),
        "failed_windows": [_failed(window) for window in windows if window.state == "failed"],
        "unparseable_windows": [_unparseable(w) for w, one in read if one.reading.outcome == "unparseable"],
        **own.fields,
        "run": _run(source, windows),
    }
    return Built(document, _summary(document, own), own.outcome)


def _summary(document: dict[str, Any], own: Body) -> dict[str, Any]:
    answers = document["answers"]
    return {
        "events": own.count,
        "found": own.found,
        "windows_with_events": answers["events"] + answers["answered"],
        "windows_with_none": answers["none"],
        "unparseable": answers["unparseable"],
        "repaired": answers["repaired"],
        "degenerate": answers["degenerate"],
        "truncated": document["video"]["truncated"],
    }


def _read(window: StoredWindow, answer: StoredAnswer, task: Task) -> Read:
    reading = task.read(answer.text, answer.tokens, answer.finish, answer.option_logprobs)
    return Read(window.index, window.start_ms, window.end_ms, reading)


def _task(task: Task) -> dict[str, Any]:
    fields: dict[str, Any] = _plain(task)
    fields.pop("task")
    if "gap_ms" in fields:
        fields["gap_s"] = fields.pop("gap_ms") / 1000
    return fields


def _inputs(inputs: Inputs) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(Inputs.__struct_fields__) | _plain(inputs)
    fields["choices"] = list(inputs.choices)
    fields["timestamps_s"] = [moment / 1000 for moment in inputs.timestamps_ms]
    del fields["timestamps_ms"]
    return fields


def _digest(outcome: Outcome) -> str:
    return hashlib.sha256(msgspec.json.encode(outcome)).hexdigest()


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    """As JSON has it."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain


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


def _answers(answers: Sequence[Reading]) -> dict[str, Any]:
    """How the answers read: a result of nothing but "none", or nothing that parses, must not look like a finding."""
    count = len(answers)
    kinds = Counter(answer.outcome for answer in answers)
    repaired = sum(answer.repaired for answer in answers)
    problems = Counter(problem for answer in answers for problem in answer.problems)
    return {
        **{kind: kinds[kind] for kind in get_args(Said)},
        "repaired": repaired,
        "degenerate": sum(answer.degenerate for answer in answers),
        "cut_off": sum(answer.truncated for answer in answers),
        "share_unparseable": round(kinds["unparseable"] / count, _DIGITS) if count else 0.0,
        "share_repaired": round(repaired / count, _DIGITS) if count else 0.0,
        "problems": dict(sorted(problems.items())),
    }


def _failed(window: StoredWindow) -> dict[str, Any]:
    return {**span(window.index, window.start_ms, window.end_ms), "code": window.code, "reason": window.reason}


def _unparseable(window: StoredWindow) -> dict[str, Any]:
    text = window.answer.text if window.answer else ""
    return {**span(window.index, window.start_ms, window.end_ms), "text": text[:300]}


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
