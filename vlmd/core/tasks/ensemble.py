"""The ensemble: no model is asked; what several pipelines found in a video becomes one list of events.

Two pipelines saw the same event where label and team are the same and the starts of their windows lie at most a gap
apart. Each pipeline has one sighting of an event at the most, so that nobody outvotes others by repeating himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from vlmd.core.inputs import Outcome, Span
from vlmd.core.tasks.base import BaseTask

_DIGITS = 4


class EnsembleTask(BaseTask, frozen=True, kw_only=True, tag="ensemble"):
    of: list[str]
    """The pipelines."""
    gap_ms: int = 3000


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """One event, and who saw it."""

    start_ms: int
    end_ms: int
    """Of the surest sighting, and among equals the earliest."""
    label: str
    team: str | None
    confidence: float
    """The share of the pipelines that saw it."""
    sightings: dict[str, Span]
    """By pipeline, in the order of their names."""


def agree(outcomes: Mapping[str, Outcome], gap_ms: int) -> list[Agreed]:
    """Every event that any pipeline found, in order of time; the order of the pipelines does not matter."""
    events = sorted(
        ((span, name) for name, outcome in outcomes.items() for span in outcome.spans),
        key=lambda one: (_kind(one[0]), one[0].start_ms, one[0].end_ms, one[1], _sureness(one[0])),
    )
    groups: list[dict[str, Span]] = []
    for span, name in events:
        group = next((one for one in _near(groups, span, gap_ms) if name not in one), None)
        if group is None:
            groups.append({name: span})
        else:
            group[name] = span
    agreed = [_agreed(group, len(outcomes)) for group in groups]
    return sorted(agreed, key=lambda event: (event.start_ms, event.label, event.team or "", event.end_ms))


def _near(groups: list[dict[str, Span]], span: Span, gap_ms: int) -> Iterable[dict[str, Span]]:
    """Groups of the same kind whose first sighting is near enough, the oldest first. Spans come in order."""
    near = []
    for group in reversed(groups):
        first = next(iter(group.values()))
        if _kind(first) != _kind(span) or span.start_ms - first.start_ms > gap_ms:
            break
        near.append(group)
    return reversed(near)


def _agreed(group: dict[str, Span], pipelines: int) -> Agreed:
    best = max(group.values(), key=lambda span: (_sureness(span), -span.start_ms))
    return Agreed(
        start_ms=best.start_ms,
        end_ms=best.end_ms,
        label=best.label,
        team=best.team,
        confidence=round(len(group) / pipelines, _DIGITS),
        sightings=dict(sorted(group.items())),
    )


def _sureness(span: Span) -> float:
    return -1.0 if span.confidence is None else span.confidence


def _kind(span: Span) -> tuple[str, bool, str]:
    return span.label, span.team is not None, span.team or ""
