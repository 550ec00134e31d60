"""What a job's answers come to: one document, the same whatever crashed on the way.

Everything that depends on the run (workers, batches, timings, times of day) stands in its `run` section.
Pure: rows go in, plain data comes out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec

from vlmd import __version__
from vlmd.core.answers import StoredWindow
from vlmd.core.calibration import Calibration
from vlmd.core.doubts import Tally, doubts
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.recipe import Recipe
from vlmd.core.tasks.base import Reading, Said
from vlmd.core.tasks.ensemble import EnsembleTask
from vlmd.core.tasks.registry import Task
from vlmd.core.video import VideoFacts
from vlmd.outputs.bodies import Body, body
from vlmd.outputs.seen import Answered, Seen, seen, utc

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


def build(source: Source, task: Task, windows: Iterable[StoredWindow], calibration: Calibration | None = None) -> Built:
    """The whole result. The windows are gone through once, and their answers not kept."""
    looked = [seen(window, task) for window in windows]
    answered = [window.answered for window in looked if window.answered is not None]
    own = body(task, [one.read for one in answered], source.needed, calibration)
    coverage, answers = _coverage(source.facts, looked, answered), count_answers([one.read.reading for one in answered])
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
        "coverage": coverage,
        "answers": answers,
        "doubts": doubts(_tally(source.facts, coverage, answers, own, task)),
        "failed_windows": [_failed(window) for window in looked if window.state == "failed"],
        "unparseable_windows": [
            {**w.span(), "text": a.unread} for w in looked if (a := w.answered) and a.unread is not None
        ],
        **own.fields,
        "run": _run(source, answered),
    }
    return Built(document, _summary(document, own), own.outcome)


def _tally(facts: VideoFacts, coverage: dict[str, Any], answers: dict[str, Any], own: Body, task: Task) -> Tally:
    return Tally(
        windows=coverage["windows"],
        failed=coverage["failed"],
        answered=coverage["answered"],
        none=answers["none"],
        unparseable=answers["unparseable"],
        degenerate=answers["degenerate"],
        truncated=facts.truncated,
        nothing_to_ask=coverage["windows"] == 0 and not isinstance(task, EnsembleTask),
        unanswered=own.fields.get("choice", {}).get("reason"),
    )


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
        "doubts": document["doubts"],
    }


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


def _coverage(facts: VideoFacts, looked: Sequence[Seen], answered: Sequence[Answered]) -> dict[str, Any]:
    """How much of the video was really looked at."""
    shown = _united([(one.read.start_ms, one.read.end_ms) for one in answered])
    return {
        "windows": len(looked),
        "answered": len(answered),
        "failed": sum(window.state == "failed" for window in looked),
        "pending": sum(window.state in ("queued", "leased") for window in looked),
        "seen_s": shown / 1000,
        "share_of_video": round(shown / facts.duration_ms, _DIGITS) if facts.duration_ms else 0.0,
        "pictures_missing": sum(one.frames_missing for one in answered),
        "degraded": sum(one.degraded for one in answered),
    }


def _united(spans: list[tuple[int, int]]) -> int:
    """Milliseconds covered by spans that may overlap."""
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def count_answers(answers: Sequence[Reading]) -> dict[str, Any]:
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


def _failed(window: Seen) -> dict[str, Any]:
    return {**window.span(), "code": window.code, "reason": window.reason}


def _run(source: Source, answered: Sequence[Answered]) -> dict[str, Any]:
    """Everything that another run of the same would have otherwise."""
    return {
        "vlmd": __version__,
        "job": source.job,
        "created": utc(source.created_at),
        "started": utc(source.started_at),
        "last_answer": utc(max((one.answered_at for one in answered), default=None)),
        "answers_reused": source.reused,
        "workers": sorted({one.run["worker"] for one in answered}),
        "prompt_tokens": sum(one.prompt_tokens for one in answered),
        "new_tokens": sum(one.new_tokens for one in answered),
        "windows": [one.run for one in answered],
    }
