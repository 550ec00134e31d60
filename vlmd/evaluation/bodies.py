"""What is measured of each kind of task, as a report has it."""

from __future__ import annotations

import msgspec


class LabelRow(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one label at one tolerance."""

    label: str | None
    """None for all labels together."""
    tolerance_s: float | None
    """How far apart the middles of a found and a true event may lie; None where their spans must overlap."""
    matched: int
    found: int
    true: int
    precision: float
    """1 where nothing was found."""
    recall: float
    """1 where there is nothing to be found."""
    f1: float

    def rates(self) -> tuple[float | None, float | None, float]:
        """Precision, recall and F1 as people read them: of nothing there is no share."""
        return self.precision if self.found else None, self.recall if self.true else None, self.f1


class AverageMap(msgspec.Struct, frozen=True, kw_only=True):
    """SoccerNet's average-mAP over a range of tolerances."""

    value: float
    visible: float | None
    """Of the true events that are shown; None where the truth does not say which are."""
    unshown: float | None
    """Of the others; without the factor 17/13 of the SoccerNet package."""
    per_label: dict[str, float]


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pipeline that finds events."""

    matching: str
    """How found and true events were paired for precision, recall, F1 and reliability; a sentence."""
    order: str
    """What the events were ranked by for average-mAP; a sentence."""
    rows: list[LabelRow]
    """All labels first, then by name; for each tolerance."""
    loose: AverageMap
    tight: AverageMap


class TypeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Questions of one type."""

    type: str
    total: int
    answered: int
    correct: int
    accuracy: float


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pipeline that chooses an answer."""

    total: int
    answered: int
    correct: int
    accuracy: float
    """Over all questions: one without an answer is not right."""
    accuracy_answered: float | None
    """Over those that were answered; None where none was."""
    reasons: dict[str, int]
    """Why there was no answer, and how often."""
    types: list[TypeRow]
    """Empty where the truth has no types."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One score of texts."""

    name: str
    """meteor, rouge_l or bert; the key in the samples' scores."""
    title: str
    green: float
    """From here on a score is good; the thresholds of the physiotherapy evaluation."""
    yellow: float
    """From here on it is fair, below it is poor."""
    mean: float | None
    median: float | None
    deviation: float | None
    """The sample's standard deviation; None for fewer than two."""
    reason: str = ""
    """Why it was not computed."""


class ExerciseRow(msgspec.Struct, frozen=True, kw_only=True):
    """Samples whose truth names one exercise."""

    exercise: str
    total: int
    correct: int
    accuracy: float


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Of a pipeline that writes text."""

    metrics: list[Metric]
    exercises: list[ExerciseRow]
    """Empty where neither truth nor answer has the form "name - text"."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of about the same confidence: from `low` up to below `high` (the last one includes 1)."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Their mean confidence; None in an empty bin."""
    right: float | None
    """The share of them that is right."""


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether confidence means what it says."""

    bins: list[Bin]
    """Ten of equal width."""
    ece: float | None
    """Expected calibration error: the mean distance of confidence and share right, weighted by count."""
    count: int
    without: int
    """Events or answers that have no confidence, so that they are in no bin."""
