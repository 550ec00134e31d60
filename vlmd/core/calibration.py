"""Confidences brought to what they are worth: scaled for each label, with a threshold below which an event is dropped.

A calibration is fitted by `vlmd evaluate --fit NAME` on results whose truth is known, and applied by name.
The scaling is Platt's (Probabilistic outputs for support vector machines, 1999), on the confidence's log-odds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.merge import MergedEvent

_NEAREST = 5e-5
"""How near to 0 and 1 a confidence is taken to be: results round to four decimals."""


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """Of one label: sigmoid(slope * log-odds + intercept), and the least scaled confidence that is kept."""

    slope: float
    intercept: float
    threshold: float
    examples: int
    right: int

    def of(self, confidence: float) -> float:
        """The scaled confidence, 0 to 1."""
        return sigmoid(self.slope * log_odds(confidence) + self.intercept)


class FittedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What a calibration was fitted on, for people."""

    task: str
    pipelines: list[str]
    models: list[str]
    videos: list[str]
    truth: list[str]
    matching: str
    """How it was decided which events are right."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A file below `calibrations` in the state folder."""

    schema: Literal["vlmd.calibration/1"] = "vlmd.calibration/1"
    name: str
    fitted_on: FittedOn
    pooled: Scaling
    """For labels that are not listed."""
    labels: dict[str, Scaling]
    too_few: dict[str, int]
    """Labels that had too few examples for a scaling of their own, and how many."""

    def scaled(self, label: str, confidence: float) -> float:
        """What a confidence in this label is worth."""
        return self._scaling(label).of(confidence)

    def threshold(self, label: str) -> float:
        """The least scaled confidence that is kept."""
        return self._scaling(label).threshold

    def _scaling(self, label: str) -> Scaling:
        return self.labels.get(label, self.pooled)


def apply(calibration: Calibration, events: Sequence[MergedEvent]) -> tuple[list[MergedEvent], list[MergedEvent]]:
    """The events with scaled confidences: those that are kept, and those below their threshold.

    An event without a confidence cannot be judged, and is kept as it is.
    """
    kept: list[MergedEvent] = []
    below: list[MergedEvent] = []
    for event in events:
        if event.confidence is None:
            kept.append(event)
            continue
        scaled = calibration.scaled(event.label, event.confidence)
        side = kept if scaled >= calibration.threshold(event.label) else below
        side.append(msgspec.structs.replace(event, confidence=scaled))
    return kept, below


def read_calibration(data: bytes, name: str) -> Calibration:
    """A calibration as it is stored. Raises `UsageError` for anything else."""
    try:
        return msgspec.json.decode(data, type=Calibration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"calibration {name} cannot be read ({error}); fit it again: vlmd evaluate --fit") from error


def log_odds(confidence: float) -> float:
    """log(p / (1 - p)), finite also for 0 and 1."""
    near = min(max(confidence, _NEAREST), 1 - _NEAREST)
    return math.log(near / (1 - near))


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
