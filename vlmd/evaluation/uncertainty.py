"""How far a figure may be off, and whether two models differ: by drawing samples again.

What every unit (a video, where there are several) contributes to a figure are sums: matched, found and true events,
right and all questions. A figure is a function of their total.

Intervals are percentile bootstrap intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Two models are compared on the same units: the difference gets a paired bootstrap interval (Koehn, Statistical
significance tests for machine translation evaluation, 2004), and a p-value from a permutation test, which exchanges
the models on every unit or not (approximate randomization: Noreen 1989; Yeh, More accurate tests for the statistical
significance of result differences, 2000). Numbers are drawn from a seed, so that the same results give the same report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000
"""Bootstrap samples."""
SEED = 0
_SWAPS = 10_000
"""Random exchanges, where not all of them can be tried."""
_ALL_SWAPS = 12
"""Units up to which all are tried."""
_AT_ONCE = 1 << 22
"""Numbers held of totals at a time."""

Floats: TypeAlias = NDArray[np.float64]
OfTotals = Callable[[Floats], Floats]
"""A figure of totals: from shape (rounds, sums) to (rounds,); NaN where it has no value."""


@dataclass(frozen=True)
class Difference:
    """A figure of model a less that of model b."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided."""
    exact: bool
    """All exchanges were tried."""
    swaps: int


def interval(units: Floats, figure: OfTotals, rounds: int = ROUNDS, seed: int = SEED) -> tuple[float, float]:
    """Where 95 % of the bootstrap figures lie; `units` has a row of sums for each unit."""
    weights = _draws(len(units), rounds, seed)
    values = np.concatenate([figure(part @ units) for part in _parts(weights, units.shape[1])])
    return _middle(values)


def paired(a: Floats, b: Floats, figure: OfTotals, rounds: int = ROUNDS, seed: int = SEED) -> Difference:
    """Two models on the same units, in the same order."""
    observed = float((figure(a.sum(0, keepdims=True)) - figure(b.sum(0, keepdims=True)))[0])
    weights = _draws(len(a), rounds, seed)
    drawn = [figure(part @ a) - figure(part @ b) for part in _parts(weights, a.shape[1])]
    low, high = _middle(np.concatenate(drawn))
    swaps, exact = _swaps(len(a), seed)
    extreme = sum(_as_extreme(part, a, b, figure, observed) for part in _parts(swaps, a.shape[1]))
    p = extreme / len(swaps) if exact else (1 + extreme) / (1 + len(swaps))
    return Difference(observed, low, high, p, exact, len(swaps))


def _draws(units: int, rounds: int, seed: int) -> Floats:
    """How often each unit is drawn in each round: (rounds, units)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=rounds).astype(np.float64)


def _middle(values: Floats) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)


def _swaps(units: int, seed: int) -> tuple[Floats, bool]:
    """1 where the models are exchanged: (exchanges, units); and whether these are all there are."""
    if units <= _ALL_SWAPS:
        numbers = np.arange(2**units)[:, None]
        return ((numbers >> np.arange(units)) & 1).astype(np.float64), True
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, size=(_SWAPS, units)).astype(np.float64), False


def _as_extreme(swaps: Floats, a: Floats, b: Floats, figure: OfTotals, observed: float) -> int:
    """In how many of the exchanges the difference is as large; equal but for rounding is as large."""
    moved = swaps @ (b - a)
    differences = figure(a.sum(0) + moved) - figure(b.sum(0) - moved)
    return int((np.abs(differences) >= abs(observed) - 1e-12).sum())


def _parts(rows: Floats, sums: int) -> Iterator[Floats]:
    """The rows in parts whose totals fit in memory."""
    step = max(1, _AT_ONCE // max(1, sums))
    for first in range(0, len(rows), step):
        yield rows[first : first + step]
