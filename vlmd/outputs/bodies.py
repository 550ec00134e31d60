"""What a result says, by task: the readings of all windows become the part of a document that answers the question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from vlmd.core.agreement import Looks
from vlmd.core.calibration import Calibration, apply
from vlmd.core.inputs import Outcome, Span
from vlmd.core.merge import MergedEvent, WindowEvents, merge_counts, merge_events
from vlmd.core.numbers import counted
from vlmd.core.tasks.base import Reading
from vlmd.core.tasks.choice import ChoiceReading, ChoiceTask, together
from vlmd.core.tasks.ensemble import EnsembleTask, agree
from vlmd.core.tasks.events import EventsTask, ParsedAnswer
from vlmd.core.tasks.feedback import FeedbackReading, FeedbackTask
from vlmd.core.tasks.registry import Task
from vlmd.core.tasks.text import CaptionTask, TextReading, TextTask

MOST_CONTEXT = 2000
"""Characters of a result that another pipeline's prompt may show."""
MOST_SPANS = 20_000
"""Spans of a result that another pipeline may look at."""
_DIGITS = 4
"""Decimals of probabilities: more would only show in which batch a window was answered."""


class Read(msgspec.Struct, frozen=True):
    """A window's answer, read."""

    index: int
    start_ms: int
    end_ms: int
    reading: Reading


class Body(msgspec.Struct, frozen=True):
    """The task's own part of a document, a few words on it for lists, and what other pipelines see of it."""

    fields: dict[str, Any]
    count: int
    found: str
    outcome: Outcome


def body(
    task: Task, read: Sequence[Read], needed: Mapping[str, Outcome], calibration: Calibration | None = None
) -> Body:
    """`needed` is what other pipelines found; only an ensemble is made of it. A calibration is for events; the
    confidences of other tasks stay what they are."""
    if isinstance(task, EnsembleTask):
        return _ensemble(task, needed)
    if isinstance(task, EventsTask):
        return _events(task, read, calibration)
    return _BODIES[type(task)](task, read)


def span(index: int, start_ms: int, end_ms: int) -> dict[str, Any]:
    """A window as documents name it."""
    return {"window": index, "start_s": start_ms / 1000, "end_s": end_ms / 1000}


def _events(task: EventsTask, read: Sequence[Read], calibration: Calibration | None) -> Body:
    seen = [
        WindowEvents(one.index, one.start_ms, one.end_ms, one.reading.events)
        for one in read
        if isinstance(one.reading, ParsedAnswer)
    ]
    merged = merge_events(seen, task.gap_ms)
    looks = Looks([window for window, one in zip(seen, read, strict=True) if one.reading.outcome != "unparseable"])
    kept, below = (merged, []) if calibration is None else apply(calibration, merged)
    fields: dict[str, Any] = {
        "events_at_gap_s": {str(gap // 1000): count for gap, count in merge_counts(seen).items()},
        "events": [_event(event, looks) for event in kept],
    }
    if calibration is not None:
        fields["calibration"] = calibration.name
        fields["below_threshold"] = [_event(event, looks) for event in below]
    return Body(fields, len(kept), counted(len(kept), "event"), _events_outcome(kept))


def _events_outcome(merged: Sequence[MergedEvent]) -> Outcome:
    spans = [
        Span(start_ms=one.start_ms, end_ms=one.end_ms, label=one.label, team=one.team, confidence=one.confidence)
        for one in merged[:MOST_SPANS]
    ]
    return Outcome(text=_listed(spans), spans=spans)


def _listed(spans: Sequence[Span]) -> str:
    """The first spans in words."""
    lines = [f"{one.label}{f' ({one.team})' if one.team else ''} at {one.start_ms / 1000:g} s" for one in spans[:50]]
    return _joined(lines)


def _event(event: MergedEvent, looks: Looks) -> dict[str, Any]:
    return {
        "start_s": event.start_ms / 1000,
        "end_s": event.end_ms / 1000,
        "label": event.label,
        "team": event.team,
        "confidence": _rounded(event.confidence),
        "stated_confidence": event.stated_confidence,
        "agreement": _rounded(looks.agreement(event)),
        "details": event.details,
        "label_known": event.label_known,
        "evidence": [
            {
                **span(one.index, one.start_ms, one.end_ms),
                "confidence": _rounded(one.confidence),
                "stated_confidence": one.stated_confidence,
                "details": one.details,
            }
            for one in event.evidence
        ],
    }


def _ensemble(task: EnsembleTask, outcomes: Mapping[str, Outcome]) -> Body:
    agreed = agree({name: outcomes[name] for name in task.of}, task.gap_ms)
    fields = {
        "events": [
            {
                "start_s": one.start_ms / 1000,
                "end_s": one.end_ms / 1000,
                "label": one.label,
                "team": one.team,
                "confidence": one.confidence,
                "models": list(one.sightings),
                "evidence": [
                    {
                        "pipeline": name,
                        "start_s": seen.start_ms / 1000,
                        "end_s": seen.end_ms / 1000,
                        "confidence": _rounded(seen.confidence),
                    }
                    for name, seen in one.sightings.items()
                ],
            }
            for one in agreed
        ]
    }
    spans = [
        Span(start_ms=one.start_ms, end_ms=one.end_ms, label=one.label, team=one.team, confidence=one.confidence)
        for one in agreed[:MOST_SPANS]
    ]
    return Body(fields, len(agreed), counted(len(agreed), "event"), Outcome(text=_listed(spans), spans=spans))


def _texts(word: str) -> Callable[[Any, Sequence[Read]], Body]:
    def make(task: TextTask, read: Sequence[Read]) -> Body:
        said = [(one, one.reading) for one in read if isinstance(one.reading, TextReading) and one.reading.text]
        entries = [
            {
                "start_s": one.start_ms / 1000,
                "end_s": one.end_ms / 1000,
                "text": reading.text,
                "confidence": reading.confidence,
            }
            for one, reading in said
        ]
        spans = [Span(start_ms=one.start_ms, end_ms=one.end_ms) for one, _ in said[:MOST_SPANS]]
        outcome = Outcome(text=_joined([reading.text for _, reading in said]), spans=spans)
        return Body({f"{word}s": entries}, len(entries), counted(len(entries), word), outcome)

    return make


def _feedback(task: FeedbackTask, read: Sequence[Read]) -> Body:
    said = [(one, one.reading) for one in read if isinstance(one.reading, FeedbackReading) and one.reading.text]
    entries = [
        {
            "start_s": one.start_ms / 1000,
            "end_s": one.end_ms / 1000,
            "name": reading.name,
            "text": reading.text,
            "confidence": reading.confidence,
        }
        for one, reading in said
    ]
    lines = [f"{reading.name} - {reading.text}" if reading.name else reading.text for _, reading in said]
    spans = [Span(start_ms=one.start_ms, end_ms=one.end_ms, label=reading.name or "") for one, reading in said]
    found = said[0][1].name or "no name" if len(said) == 1 else f"feedback on {counted(len(said), 'window')}"
    return Body({"feedback": entries}, len(entries), found, Outcome(text=_joined(lines), spans=spans[:MOST_SPANS]))


def _choice(task: ChoiceTask, read: Sequence[Read]) -> Body:
    reading = together([one.reading for one in read if isinstance(one.reading, ChoiceReading)])
    letter = reading.letter if reading else None
    index = task.options().index(letter) if letter else None
    text = None if index is None else task.choices[index]
    probabilities = reading.probabilities if reading else {}
    fields = {
        "answer": letter,
        "index": index,
        "text": text,
        "confidence": probabilities.get(letter or ""),
        "reason": None if letter else _no_letter(reading, read),
        "probabilities": probabilities,
        "mass": reading.mass if reading else None,
    }
    outcome = Outcome(text=f"{letter}. {text}" if letter else "")
    return Body({"choice": fields}, int(letter is not None), f"answer {letter}" if letter else "no answer", outcome)


def _no_letter(reading: ChoiceReading | None, read: Sequence[Read]) -> str:
    """Why a question has no answer."""
    if reading is not None:
        return "two choices are equally probable"
    return "no window was answered" if not read else "the model's answer is none of the letters"


_BODIES: dict[type, Callable[[Any, Sequence[Read]], Body]] = {
    CaptionTask: _texts("caption"),
    TextTask: _texts("text"),
    FeedbackTask: _feedback,
    ChoiceTask: _choice,
}


def _joined(texts: Sequence[str]) -> str:
    return "\n".join(texts)[:MOST_CONTEXT]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
