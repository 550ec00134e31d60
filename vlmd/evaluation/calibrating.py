"""Whether confidence means what it says, and what makes it so.

The expected calibration error weighs each bin's distance of mean confidence and share right by its count (Naeini,
Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, 2015). Scalings are fitted as
Platt's, by Newton's method on the log-loss with a normal prior: the pooled one around no change at all, those of
labels around the pooled one, so that few examples change little.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vlmd.core.calibration import Scaling, log_odds, sigmoid
from vlmd.evaluation.bodies import Bin, Reliability

BINS = 10
MIN_EXAMPLES = 20
"""With fewer, or all right or all wrong, a label is scaled like all others."""
_STEPS = 50
_CLOSE = 1e-10


@dataclass(frozen=True)
class Example:
    """A confidence in a label, and whether it was right."""

    label: str
    confidence: float
    right: bool


@dataclass(frozen=True)
class Fit:
    """Scalings for all labels together and for each that has enough examples; and those that have not."""

    pooled: Scaling
    labels: dict[str, Scaling]
    too_few: dict[str, int]

    def scaled(self, example: Example) -> float:
        return self.labels.get(example.label, self.pooled).of(example.confidence)


def reliability(examples: Sequence[Example], without: int = 0) -> Reliability:
    """Ten bins of equal width; `without` is how many had no confidence."""
    bins: list[list[Example]] = [[] for _ in range(BINS)]
    for example in examples:
        bins[min(int(example.confidence * BINS), BINS - 1)].append(example)
    rows = [_bin(at, held) for at, held in enumerate(bins)]
    return Reliability(bins=rows, ece=_ece(rows, len(examples)), count=len(examples), without=without)


def fit(examples: Sequence[Example], true: dict[str, int]) -> Fit:
    """Scalings and thresholds; `true` says how many true events of each label there are, found or not."""
    pooled = _scaling(examples, sum(true.values()), (1.0, 0.0))
    of_label: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        of_label[example.label].append(example)
    enough = {label: held for label, held in sorted(of_label.items()) if _is_enough(held)}
    around = (pooled.slope, pooled.intercept)
    return Fit(
        pooled,
        {label: _scaling(held, true.get(label, 0), around) for label, held in enough.items()},
        {label: len(held) for label, held in sorted(of_label.items()) if label not in enough},
    )


def platt(examples: Sequence[Example], around: tuple[float, float] = (1.0, 0.0)) -> tuple[float, float]:
    """Slope and intercept; a falling line, which would turn the order round, becomes a flat one."""
    points = [(log_odds(one.confidence), float(one.right)) for one in examples]
    slope, intercept = _newton(points, around, flat=False)
    return (slope, intercept) if slope >= 0 else _newton(points, (0.0, around[1]), flat=True)


def best_threshold(scored: Sequence[tuple[float, bool]], true: int) -> float:
    """The least score to keep, for the best F1; 0 where keeping all is best. `true` counts the missed, too."""
    best, threshold, matched = -1.0, 0.0, 0
    ordered = sorted(scored, key=lambda one: -one[0])
    for count, (score, right) in enumerate(ordered, 1):
        matched += right
        below = ordered[count][0] if count < len(ordered) else None
        f1 = 2 * matched / (count + true)
        if below != score and f1 >= best:
            best, threshold = f1, 0.0 if below is None else _between(below, score)
    return threshold


def _between(below: float, score: float) -> float:
    """Half way, so that neither is at the edge; the higher itself, where no number lies between."""
    middle = (below + score) / 2
    return middle if middle > below else score


def _bin(at: int, held: list[Example]) -> Bin:
    count = len(held)
    return Bin(
        low=at / BINS,
        high=(at + 1) / BINS,
        count=count,
        confidence=sum(one.confidence for one in held) / count if count else None,
        right=sum(one.right for one in held) / count if count else None,
    )


def _ece(bins: list[Bin], total: int) -> float | None:
    apart = [
        one.count * abs(one.confidence - one.right)
        for one in bins
        if one.confidence is not None and one.right is not None
    ]
    return sum(apart) / total if total else None


def _is_enough(examples: list[Example]) -> bool:
    return len(examples) >= MIN_EXAMPLES and len({one.right for one in examples}) == 2


def _scaling(examples: Sequence[Example], true: int, around: tuple[float, float]) -> Scaling:
    slope, intercept = platt(examples, around)
    plain = Scaling(slope=slope, intercept=intercept, threshold=0.0, examples=len(examples), right=0)
    scored = [(plain.of(one.confidence), one.right) for one in examples]
    right = sum(one.right for one in examples)
    threshold = best_threshold(scored, max(true, right))
    return Scaling(slope=slope, intercept=intercept, threshold=threshold, examples=len(examples), right=right)


def _newton(points: list[tuple[float, float]], around: tuple[float, float], flat: bool) -> tuple[float, float]:
    """The least of log-loss and prior, which is strictly convex; steps are halved while they lead up."""
    at = around
    for _ in range(_STEPS):
        step = _step(points, at, around, flat)
        size, here = 1.0, _loss(points, at, around)
        while size > _CLOSE and _loss(points, _moved(at, step, size), around) > here:
            size /= 2
        at = _moved(at, step, size)
        if max(abs(step[0]), abs(step[1])) * size < _CLOSE:
            break
    return at


def _moved(at: tuple[float, float], step: tuple[float, float], size: float) -> tuple[float, float]:
    return at[0] - size * step[0], at[1] - size * step[1]


def _step(
    points: list[tuple[float, float]], at: tuple[float, float], around: tuple[float, float], flat: bool
) -> tuple[float, float]:
    """Gradient through Hessian; along the intercept alone where the slope is fixed."""
    chances = [sigmoid(at[0] * x + at[1]) for x, _ in points]
    down = [chance - y for chance, (_, y) in zip(chances, points, strict=True)]
    bend = [chance * (1 - chance) for chance in chances]
    slope = sum(d * x for d, (x, _) in zip(down, points, strict=True)) + at[0] - around[0]
    intercept = sum(down) + at[1] - around[1]
    ss = sum(b * x * x for b, (x, _) in zip(bend, points, strict=True)) + 1
    si = sum(b * x for b, (x, _) in zip(bend, points, strict=True))
    ii = sum(bend) + 1
    if flat:
        return 0.0, intercept / ii
    determinant = ss * ii - si * si
    return (ii * slope - si * intercept) / determinant, (ss * intercept - si * slope) / determinant


def _loss(points: list[tuple[float, float]], at: tuple[float, float], around: tuple[float, float]) -> float:
    prior = ((at[0] - around[0]) ** 2 + (at[1] - around[1]) ** 2) / 2
    return prior + sum(_softplus(-(2 * y - 1) * (at[0] * x + at[1])) for x, y in points)


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
