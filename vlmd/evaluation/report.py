"""The outcome of an evaluation, as data: what `vlmd evaluate --json` prints, and tables, Excel and HTML are made of.

A report holds one `Evaluation` for every pipeline and model among the results, in the order they were named; those of
`--against` follow with side "b". In short (tests/evaluation/example.json is a whole one):

    {"schema": "vlmd.evaluation/1",
     "says": ["match: F1 0.921 (95 % interval 0.88 to 0.95 over 12 videos)"],
     "notes": ["events without a confidence come last: 2 of 914"],
     "truth": {"files": ["truth/a.json"], "kinds": ["vlmd.truth/1"], "samples": 12},
     "evaluations": [{
        "title": "match, qwen", "side": "a", "pipeline": "match", "task": "events", "model": {"name": "qwen", …},
        "says": ["every one of 44 windows answered none"],
        "answers": {"results": 12, "windows": 528, "answered": 528, "none": 480, "unparseable": 0, …},
        "figures": [{"name": "f1", "title": "F1", "value": 0.92, "low": 0.88, "high": 0.95, "over": "videos", …}],
        "events": {"matching": "…", "rows": [{"label": "Goal", "tolerance_s": 5.0, "precision": 0.9, …}], …},
        "choice": null, "texts": null,
        "reliability": {"bins": [{"low": 0.9, "high": 1.0, "count": 80, "confidence": 0.97, "right": 0.95}, …], …},
        "samples": [{"name": "results/match/a.mp4.json", "video": "a.mp4", "events": [{"kind": "matched", …}], …}]}],
     "comparisons": [{"figure": "f1", "difference": 0.03, "low": -0.01, "high": 0.07, "p": 0.12, …}],
     "skipped": [{"name": "results/match/b.mp4.json", "video": "b.mp4", "reason": "there is no truth for it"}],
     "fitted": null}

Shares and scores are 0 to 1, times are seconds of the video, None stands for what cannot be said (a `reason` is beside
it). Keys of which a task has no use are None, so that every key is always there.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from vlmd.core.numbers import counted
from vlmd.evaluation.bodies import Choice, Events, Reliability, Texts

SCHEMA = "vlmd.evaluation/1"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number that counts, with its 95 % bootstrap interval."""

    name: str
    """Stable: precision, recall, f1, average_map_loose, average_map_tight, accuracy, accuracy_answered, meteor,
    rouge_l, bert, exercise."""
    title: str
    """For people, with the variant where there are several: "METEOR, WordNet 3.0"."""
    value: float | None
    low: float | None = None
    high: float | None = None
    over: str = ""
    """What was drawn again for the interval: videos, events, questions or samples."""
    units: int = 0
    """How many of these there are."""
    reason: str = ""
    """Why there is no value, or no interval."""

    @property
    def drawn(self) -> str:
        """What was drawn again, and how many of these there are."""
        return counted(self.units, self.over.removesuffix("s")) if self.over else ""


class Model(msgspec.Struct, frozen=True):
    """As in a result; empty where that names none."""

    name: str
    family: str = ""
    revision: str = ""
    precision: str = ""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """How the answers of all windows read, summed over the results."""

    results: int
    windows: int
    answered: int
    failed: int
    none: int
    unparseable: int
    repaired: int

    @property
    def share_unparseable(self) -> float:
        """0 where nothing was answered."""
        return self.unparseable / self.answered if self.answered else 0.0


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A true event, the found one that means it, or one of both alone."""

    kind: Literal["matched", "missed", "false"]
    label: str
    team: str | None
    confidence: float | None
    found: tuple[float, float] | None
    """From and to, in seconds."""
    true: tuple[float, float] | None


class ChoiceSample(msgspec.Struct, frozen=True, kw_only=True):
    """One question."""

    question: str
    answer: str | None
    """The letter."""
    truth: str
    correct: bool
    confidence: float | None
    reason: str | None
    """Why there is no answer."""
    type: str | None


class TextSample(msgspec.Struct, frozen=True, kw_only=True):
    """One text beside the right one."""

    text: str
    truth: str
    scores: dict[str, float]
    exercise: str | None
    """The name before " - " in the answer; None where there is none."""
    true_exercise: str | None
    exercise_correct: bool | None
    """None where the truth names no exercise."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One result beside its truth. Exactly one of `events`, `choice` and `text` is there."""

    name: str
    """What it was called: its file, or "job 7"."""
    video: str
    sha256: str
    duration_s: float
    id: str | None
    """The sample's name in its manifest."""
    truth_file: str
    """Where the truth stands; "" where the result itself has it."""
    seen_share: float
    """How much of the video was looked at."""
    doubts: list[str]
    """As in the result."""
    events: list[EventRow] | None = None
    choice: ChoiceSample | None = None
    text: TextSample | None = None


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One pipeline with one model. Exactly one of `events`, `choice` and `texts` is there."""

    title: str
    side: Literal["a", "b"]
    pipeline: str
    task: str
    model: Model
    says: list[str]
    """What must be known before any figure is read: sentences."""
    answers: Answers
    figures: list[Figure]
    events: Events | None = None
    choice: Choice | None = None
    texts: Texts | None = None
    reliability: Reliability | None = None
    """None for texts."""
    samples: list[Sample]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of two models on the samples that both have."""

    figure: str
    """The name of the `Figure`."""
    title: str
    a: str
    """Title of an evaluation."""
    b: str
    value_a: float
    value_b: float
    difference: float
    """`value_a` - `value_b`."""
    low: float | None
    """95 % bootstrap interval of the difference; None with a single unit."""
    high: float | None
    p: float | None
    """Two-sided, from a paired permutation test; None with a single unit."""
    over: str
    units: int
    test: str
    """How p was found, a sentence."""

    @property
    def drawn(self) -> str:
        """What was drawn again, and how many of these there are."""
        return counted(self.units, self.over.removesuffix("s")) if self.over else ""


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A result that could not be evaluated."""

    name: str
    video: str
    reason: str


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the results were compared with."""

    files: list[str]
    """Empty where the results had it."""
    kinds: list[str]
    samples: int


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A calibration that was made and stored."""

    name: str
    path: str
    says: list[str]
    """On what it was fitted, and for which labels there was too little."""
    ece_before: float
    ece_after: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    schema: str = SCHEMA
    says: list[str]
    """What it comes to, a sentence each; the first is what somebody must know who reads no further."""
    notes: list[str]
    """What was assumed or left out."""
    truth: Truth
    evaluations: list[Evaluation]
    comparisons: list[Comparison]
    skipped: list[Skipped]
    fitted: Fitted | None = None


def as_document(report: Report) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    document: dict[str, Any] = msgspec.to_builtins(report)
    return document


def from_document(document: object) -> Report:
    """The report again. Raises `msgspec.ValidationError` for anything else."""
    return msgspec.convert(document, type=Report)
