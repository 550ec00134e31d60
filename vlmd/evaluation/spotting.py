"""Average-mAP of event spotting, as the SoccerNet package (SoccerNet.Evaluation.ActionSpotting) computes it.

Time is cut into half seconds; events of one label in the same half second are one, of which the last in the list
counts. At a tolerance of d seconds a true event may be found up to d/2 before or after. True events, in order of time,
each take the best scored detection within reach that is still free, the earliest among equals. Precision and recall
at 200 thresholds give an average precision by 11-point interpolation, whose mean over the labels is the mAP; the
average-mAP is the area below mAP by tolerance (trapezoids), divided by the range of tolerances.

All that a video contributes are counts, and counts of videos add up, so that videos can be drawn again at no cost.
The package cuts at two hours; here a video may be of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

LOOSE_S = tuple(range(5, 61, 5))
TIGHT_S = (1, 2, 3, 4, 5)
_RATE = 2
_THRESHOLDS = np.linspace(0, 1, 200)
_RECALLS = np.arange(11) / 10

ALL, VISIBLE, UNSHOWN = 0, 1, 2
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """What was found at a moment; a negative score counts for nothing."""

    label: str
    at_ms: int
    score: float


@dataclass(frozen=True)
class Spot:
    """What truly is at a moment, and whether it can be seen."""

    label: str
    at_ms: int
    shown: bool = True


@dataclass(frozen=True)
class Tally:
    """Counts of one or more videos; `a + b` pools them. The first axis is ALL, VISIBLE, UNSHOWN."""

    hits: Floats
    """Detections above a threshold that are right: (3, tolerances, labels, 200)."""
    found: Floats
    """Detections above a threshold: (3, labels, 200)."""
    true: Floats
    """True events: (3, labels)."""

    def __add__(self, more: Tally) -> Tally:
        return Tally(self.hits + more.hits, self.found + more.found, self.true + more.true)

    def average_map(self, view: int = ALL) -> Floats:
        """The average-mAP of every label."""
        return average_map(self.hits[view], self.found[view], self.true[view])


def tally(
    found: Sequence[Detection], true: Sequence[Spot], labels: Sequence[str], tolerances_s: Sequence[int]
) -> Tally:
    """The counts of one video; what has another label counts for nothing."""
    each = [_label_tally(_frames(found, label), _shown(true, label), tolerances_s) for label in labels]
    return Tally(
        np.stack([one.hits for one in each], axis=2),
        np.stack([one.found for one in each], axis=1),
        np.stack([one.true for one in each], axis=1),
    )


def average_map(hits: Floats, found: Floats, true: Floats) -> Floats:
    """By label, from counts of shape (…, tolerances, labels, 200), (…, labels, 200) and (…, labels)."""
    precision = _share(hits, found[..., None, :, :])
    recall = _share(hits, true[..., None, :, None])
    best = np.zeros(hits.shape[:-1])
    for level in _RECALLS:
        best += np.max(np.where(recall >= level, precision, 0.0), axis=-1)
    curve = best / len(_RECALLS)
    areas: Floats = (curve[..., :-1, :] + curve[..., 1:, :]) / 2
    averages: Floats = areas.mean(axis=-2)
    return averages


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _frame(ms: int) -> int:
    return int(_RATE * (ms / 1000))


def _frames(found: Sequence[Detection], label: str) -> dict[int, float]:
    """Half seconds in order, with their scores."""
    scores = {_frame(one.at_ms): one.score for one in found if one.label == label}
    return {frame: scores[frame] for frame in sorted(scores) if scores[frame] >= 0}


def _shown(true: Sequence[Spot], label: str) -> dict[int, bool]:
    """Half seconds in order, and whether what truly is there can be seen."""
    return dict(sorted({_frame(one.at_ms): one.shown for one in true if one.label == label}.items()))


def _label_tally(found: dict[int, float], true: dict[int, bool], tolerances_s: Sequence[int]) -> Tally:
    at, scores = np.array(list(found), dtype=np.int64), np.array(list(found.values()))
    spots, shown = np.array(list(true), dtype=np.int64), np.array(list(true.values()), dtype=bool)
    near = _nearest_is_shown(at, spots, shown)
    views = [np.ones(len(at), dtype=bool), near, ~near]
    right = [_right(at, scores, spots, seconds * _RATE / 2) for seconds in tolerances_s]
    return Tally(
        np.array([[_above(scores[view & hit]) for hit in right] for view in views]),
        np.array([_above(scores[view]) for view in views]),
        np.array([[len(spots)], [shown.sum()], [(~shown).sum()]], dtype=np.float64)[:, 0],
    )


def _right(at: NDArray[np.int64], scores: Floats, spots: NDArray[np.int64], reach: float) -> NDArray[np.bool_]:
    """Which detections true events took."""
    taken = np.zeros(len(at), dtype=bool)
    for spot in spots:
        first, stop = np.searchsorted(at, spot - reach, "left"), np.searchsorted(at, spot + reach, "right")
        free = np.where(taken[first:stop], -1.0, scores[first:stop])
        if len(free) and free.max() >= 0:
            taken[first + int(free.argmax())] = True
    return taken


def _nearest_is_shown(at: NDArray[np.int64], spots: NDArray[np.int64], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the true event nearest to each detection can be seen; no, where there is none."""
    if not len(spots):
        return np.zeros(len(at), dtype=bool)
    middles = (spots[:-1] + spots[1:]) // 2
    return shown[np.searchsorted(middles, at, "right")]


def _above(scores: Floats) -> Floats:
    """How many scores reach each threshold."""
    return (len(scores) - np.searchsorted(np.sort(scores), _THRESHOLDS, "left")).astype(np.float64)
