"""From what each window shows to what the video shows: equal events of near windows become one.

Nothing is lost: every event of every window is either the one that stands for its group or evidence of it.
The result does not depend on the order of windows, nor of the events in a window.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from vlmd.core.tasks.events import Event

COUNT_GAPS_MS = (3000, 5000, 10000, 20000)


class WindowEvents(msgspec.Struct, frozen=True):
    """The events of one window, which is half-open, in milliseconds."""

    index: int
    start_ms: int
    end_ms: int
    events: list[Event]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Another sighting of a merged event, in the window `index`."""

    index: int
    start_ms: int
    end_ms: int
    confidence: float | None
    stated_confidence: float | None
    details: str


class MergedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the video: its surest sighting, and all others as evidence, in order of time."""

    index: int
    start_ms: int
    end_ms: int
    label: str
    team: str | None
    confidence: float | None
    stated_confidence: float | None
    details: str
    label_known: bool
    team_known: bool
    evidence: list[Evidence]


def merge_events(windows: Iterable[WindowEvents], gap_ms: int) -> list[MergedEvent]:
    """Events of one label and team are one if their windows start at most `gap_ms` after the group's first.

    The distance is to the first, so groups do not chain on without end. The most confident stands for the
    group (what the model stated where there is no confidence of its tokens), among equals the earliest.
    Sorted by start, label and team.
    """
    merged = [_merge(group) for group in _groups(_sightings(windows), gap_ms)]
    return sorted(merged, key=lambda event: (event.start_ms, event.label, _text_key(event.team)))


def merge_counts(windows: Iterable[WindowEvents], gaps_ms: Iterable[int] = COUNT_GAPS_MS) -> dict[int, int]:
    """How many events remain at each gap."""
    kept = list(windows)
    return {gap: len(merge_events(kept, gap)) for gap in gaps_ms}


class _Sighting(msgspec.Struct, frozen=True):
    """One event in one window."""

    window: WindowEvents
    event: Event

    def kind(self) -> tuple[object, ...]:
        return self.event.label, _text_key(self.event.team)

    def order(self) -> tuple[object, ...]:
        """A total order over all that a sighting says: by kind, then time."""
        window, event = self.window, self.event
        said = (_number_key(event.confidence), _number_key(event.stated_confidence), event.details)
        known = (event.label_known, event.team_known)
        return (self.kind(), window.start_ms, window.end_ms, window.index, said, known)

    def strength(self) -> float:
        """Confidence, else what was stated, else less than any."""
        own, stated = self.event.confidence, self.event.stated_confidence
        return own if own is not None else stated if stated is not None else -1.0


def _text_key(text: str | None) -> tuple[bool, str]:
    return text is not None, text or ""


def _number_key(number: float | None) -> float:
    return -1.0 if number is None else number


def _sightings(windows: Iterable[WindowEvents]) -> list[_Sighting]:
    every = [_Sighting(window, event) for window in windows for event in window.events]
    return sorted(every, key=_Sighting.order)


def _groups(sightings: list[_Sighting], gap_ms: int) -> list[list[_Sighting]]:
    groups: list[list[_Sighting]] = []
    for sighting in sightings:
        first = groups[-1][0] if groups else None
        if (
            first is not None
            and first.kind() == sighting.kind()
            and sighting.window.start_ms - first.window.start_ms <= gap_ms
        ):
            groups[-1].append(sighting)
        else:
            groups.append([sighting])
    return groups


def _merge(group: list[_Sighting]) -> MergedEvent:
    """The first of the strongest and the rest; `group` is in order, so that ties go to the earliest."""
    best = max(range(len(group)), key=lambda at: group[at].strength())
    window, event = group[best].window, group[best].event
    return MergedEvent(
        index=window.index,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        label=event.label,
        team=event.team,
        confidence=event.confidence,
        stated_confidence=event.stated_confidence,
        details=event.details,
        label_known=event.label_known,
        team_known=event.team_known,
        evidence=[_evidence(other) for at, other in enumerate(group) if at != best],
    )


def _evidence(sighting: _Sighting) -> Evidence:
    window, event = sighting.window, sighting.event
    return Evidence(
        index=window.index,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        confidence=event.confidence,
        stated_confidence=event.stated_confidence,
        details=event.details,
    )
