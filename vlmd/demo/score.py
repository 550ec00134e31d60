"""How well found events agree with the true ones: each true event is found at most once, and counts once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MIN_OVERLAP_MS = 200
"""Spans must share more than this to mean the same event."""


class Event(Protocol):
    """What is compared: a true event or a found one, half-open in milliseconds."""

    @property
    def label(self) -> str: ...
    @property
    def team(self) -> str | None: ...
    @property
    def start_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...


@dataclass(frozen=True)
class Score:
    """Counts of one or more videos; `a + b` pools them."""

    matched: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the found events that are true; 1 where nothing was found."""
        return self.matched / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true events that were found; 1 where there is none."""
        return self.matched / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 1 where nothing was found and nothing is true."""
        total = self.found + self.true
        return 2 * self.matched / total if total else 1.0

    def __add__(self, more: Score) -> Score:
        return Score(self.matched + more.matched, self.found + more.found, self.true + more.true)


def score(found: Sequence[Event], true: Sequence[Event]) -> Score:
    """Pairs found events with true ones, as many as can be; the order of neither matters."""
    return Score(len(pairs(found, true)), len(found), len(true))


def pairs(found: Sequence[Event], true: Sequence[Event]) -> list[tuple[int, int]]:
    """Positions in `found` and `true` of a largest one-to-one pairing of events that agree."""
    candidates = [[at for at, event in enumerate(true) if agree(one, event)] for one in found]
    finder: dict[int, int] = {}
    for number in range(len(found)):
        _place(number, candidates, finder, set())
    return sorted((number, at) for at, number in finder.items())


def agree(one: Event, another: Event) -> bool:
    """Same label and team, and more than `MIN_OVERLAP_MS` in common."""
    shared = min(one.end_ms, another.end_ms) - max(one.start_ms, another.start_ms)
    return one.label == another.label and one.team == another.team and shared > MIN_OVERLAP_MS


def _place(number: int, candidates: list[list[int]], finder: dict[int, int], tried: set[int]) -> bool:
    """Gives found event `number` a true event, moving others to their alternatives where that makes room."""
    for at in candidates[number]:
        if at in tried:
            continue
        tried.add(at)
        if at not in finder or _place(finder[at], candidates, finder, tried):
            finder[at] = number
            return True
    return False
