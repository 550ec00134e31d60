"""How well found events agree with the true ones: each true event is found at most once, and counts once.

A pairing is as large as can be. Found events are given their true ones in the order they come, and keep one once they
have one, so that with the surest first, the paired ones among those above any confidence are a largest pairing, too
(the sets of found events that can be paired at once are a matroid, on which being greedy is best: Edmonds and
Fulkerson, 1965).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
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


Agree = Callable[[Event, Event], bool]
"""Whether two events of one label mean the same."""


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


def overlap(one: Event, another: Event) -> bool:
    """Same team, and more than `MIN_OVERLAP_MS` in common."""
    shared = min(one.end_ms, another.end_ms) - max(one.start_ms, another.start_ms)
    return one.team == another.team and shared > MIN_OVERLAP_MS


def overlap_of_any_team(one: Event, another: Event) -> bool:
    """More than `MIN_OVERLAP_MS` in common."""
    return min(one.end_ms, another.end_ms) - max(one.start_ms, another.start_ms) > MIN_OVERLAP_MS


def within(tolerance_ms: int, teams: bool = False) -> Agree:
    """The middles of their spans lie at most so far apart; `teams`: and they are of the same team."""

    def agree(one: Event, another: Event) -> bool:
        apart = abs(one.start_ms + one.end_ms - another.start_ms - another.end_ms)
        return apart <= 2 * tolerance_ms and (not teams or one.team == another.team)

    return agree


def middle_ms(event: Event) -> int:
    """When an event is, where a moment has to stand for it."""
    return (event.start_ms + event.end_ms) // 2


def score(found: Sequence[Event], true: Sequence[Event], agree: Agree = overlap) -> Score:
    """Pairs found events with true ones, as many as can be; the order of neither matters."""
    return Score(len(pairs(found, true, agree)), len(found), len(true))


def pairs(found: Sequence[Event], true: Sequence[Event], agree: Agree = overlap) -> list[tuple[int, int]]:
    """Positions in `found` and `true` of a largest one-to-one pairing of events of one label that agree."""
    of_label: defaultdict[str, list[int]] = defaultdict(list)
    for at, event in enumerate(true):
        of_label[event.label].append(at)
    pairing = _Pairing([[at for at in of_label[one.label] if agree(one, true[at])] for one in found])
    for number in range(len(found)):
        pairing.place(number)
    return sorted(pairing.given.items())


class _Pairing:
    """Which true event each found one was given (`given`), and back (`finder`)."""

    def __init__(self, candidates: list[list[int]]) -> None:
        self.given: dict[int, int] = {}
        self._finder: dict[int, int] = {}
        self._candidates = candidates

    def place(self, number: int) -> None:
        """Gives a found event a true one, moving others to their alternatives where that makes room."""
        wanted_by: dict[int, int] = {}
        queue = deque([number])
        while queue:
            one = queue.popleft()
            for at in self._candidates[one]:
                if at in wanted_by:
                    continue
                wanted_by[at] = one
                if at not in self._finder:
                    self._move_up(at, wanted_by)
                    return
                queue.append(self._finder[at])

    def _move_up(self, at: int, wanted_by: dict[int, int]) -> None:
        """`at` is free: whoever wants it takes it, and leaves its own to whoever wants that."""
        free: int | None = at
        while free is not None:
            taker = wanted_by[free]
            left = self.given.get(taker)
            self.given[taker], self._finder[free] = free, taker
            free = left
