"""A figure with what every sample contributes to it, so that it can be drawn again and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np

from vlmd.core.numbers import counted
from vlmd.evaluation.report import Comparison, Figure
from vlmd.evaluation.results import Key
from vlmd.evaluation.uncertainty import ROUNDS, Floats, OfTotals, interval, paired


@dataclass(frozen=True)
class Row:
    """What one part of a sample adds to the sums."""

    sample: Key
    sums: Floats


@dataclass
class Measure:
    """A figure of the total of all rows. `parts` is what rows are called where there is a single video, "" where a
    video cannot be taken apart."""

    name: str
    title: str
    of: OfTotals
    parts: str
    rows: list[Row] = field(default_factory=list)
    reason: str = ""

    def add(self, sample: Key, *sums: float) -> None:
        self.rows.append(Row(sample, np.array(sums, dtype=np.float64)))

    def value(self) -> float | None:
        return _finite(self.of(_stacked(self.rows).sum(0, keepdims=True))[0]) if self.rows else None

    def figure(self, seed: int) -> Figure:
        """The value with its interval, or why there is none."""
        value = self.value()
        if value is None:
            return Figure(name=self.name, title=self.title, value=None, reason=self.reason or "nothing to measure")
        units, over = self._units()
        if len(units) < 2:
            reason = "no interval: there is one video" if over == "videos" else f"no interval: too few {over}"
            return Figure(name=self.name, title=self.title, value=value, over=over, units=len(units), reason=reason)
        low, high = interval(units, self.of, ROUNDS, seed)
        return Figure(
            name=self.name,
            title=self.title,
            value=value,
            low=_finite(low),
            high=_finite(high),
            over=over,
            units=len(units),
        )

    def against(self, other: Measure, a: str, b: str, seed: int) -> Comparison | None:
        """The same figure of another model on the samples that both have; None where there are none."""
        common = {row.sample for row in self.rows} & {row.sample for row in other.rows}
        mine = [row for row in self.rows if row.sample in common]
        theirs = [row for row in other.rows if row.sample in common]
        if not common:
            return None
        several = len({_video(row) for row in mine}) > 1
        by: Callable[[Row], Hashable] = _video if several or self.parts in ("", "events") else _sample
        over = "videos" if by is _video else self.parts
        return _compared(self, a, b, over, _grouped(mine, by), _grouped(theirs, by), seed)

    def _units(self) -> tuple[Floats, str]:
        if len({_video(row) for row in self.rows}) > 1 or not self.parts:
            return np.stack(list(_grouped(self.rows, _video).values())), "videos"
        return _stacked(self.rows), self.parts


def _compared(
    measure: Measure, a: str, b: str, over: str, mine: dict[Hashable, Floats], theirs: dict[Hashable, Floats], seed: int
) -> Comparison | None:
    keys = list(mine)
    one, another = np.stack([mine[key] for key in keys]), np.stack([theirs[key] for key in keys])
    value_a, value_b = (_finite(measure.of(side.sum(0, keepdims=True))[0]) for side in (one, another))
    if value_a is None or value_b is None:
        return None
    found = paired(one, another, measure.of, ROUNDS, seed) if len(keys) > 1 else None
    return Comparison(
        figure=measure.name,
        title=measure.title,
        a=a,
        b=b,
        value_a=value_a,
        value_b=value_b,
        difference=value_a - value_b,
        low=_finite(found.low) if found else None,
        high=_finite(found.high) if found else None,
        p=found.p if found else None,
        over=over,
        units=len(keys),
        test=_test(over, len(keys), found.exact, found.swaps) if found else f"no test: there are too few {over}",
    )


def _test(over: str, units: int, exact: bool, swaps: int) -> str:
    ways = f"all {swaps} ways" if exact else f"{swaps} random ways"
    on = counted(units, over.removesuffix("s"))
    return f"paired permutation test, two-sided: {ways} to exchange the two models on {on}"


def _video(row: Row) -> Hashable:
    return row.sample[:2]


def _sample(row: Row) -> Hashable:
    return row.sample


def _grouped(rows: list[Row], by: Callable[[Row], Hashable]) -> dict[Hashable, Floats]:
    sums: dict[Hashable, Floats] = {}
    for row in sorted(rows, key=lambda row: (row.sample[0], row.sample[1], row.sample[2] or "")):
        held = sums.get(by(row))
        sums[by(row)] = row.sums if held is None else held + row.sums
    return sums


def _stacked(rows: list[Row]) -> Floats:
    return np.stack([row.sums for row in rows])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
