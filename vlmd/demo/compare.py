"""A result beside the truth: which events were found, which were missed, which were never there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmd.demo.game import TrueEvent
from vlmd.evaluation.matching import Score, pairs, score


@dataclass(frozen=True)
class FoundEvent:
    """An event of a result file."""

    label: str
    team: str | None
    start_ms: int
    end_ms: int
    confidence: float | None


@dataclass(frozen=True)
class Row:
    """A true event, the found one that agrees with it, or one of both alone."""

    true: TrueEvent | None
    found: FoundEvent | None

    @property
    def start_ms(self) -> int:
        return self.true.start_ms if self.true else self.found.start_ms if self.found else 0


def read_events(result: Path) -> list[FoundEvent]:
    document = json.loads(result.read_text(encoding="utf-8"))
    return [
        FoundEvent(
            event["label"],
            event["team"],
            round(event["start_s"] * 1000),
            round(event["end_s"] * 1000),
            event["confidence"],
        )
        for event in document["events"]
    ]


def side_by_side(found: Sequence[FoundEvent], true: Sequence[TrueEvent]) -> tuple[list[Row], Score]:
    """Every event of either side once, by time, and the score."""
    matched = dict(pairs(found, true))
    rows = [Row(true[at], found[number]) for number, at in matched.items()]
    rows += [Row(None, event) for number, event in enumerate(found) if number not in matched]
    rows += [Row(event, None) for at, event in enumerate(true) if at not in matched.values()]
    return sorted(rows, key=lambda row: row.start_ms), score(found, true)
