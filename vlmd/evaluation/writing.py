"""Texts beside the right ones: METEOR, ROUGE-L, similarity by a BERT, and the exercise they name."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vlmd.evaluation.bodies import ExerciseRow, Metric, Texts
from vlmd.evaluation.measure import Measure
from vlmd.evaluation.report import TextSample
from vlmd.evaluation.results import Result
from vlmd.evaluation.texts.words import exercise, rouge_l, same_exercise
from vlmd.evaluation.truth.kinds import TextTruth
from vlmd.evaluation.uncertainty import Floats

Pairs = Sequence[tuple[str, str]]
"""Texts, each with the right one."""


@dataclass(frozen=True)
class Scorer:
    """A metric: scores for pairs of texts, or why there are none. From `green` on it is good, from `yellow` on fair."""

    name: str
    title: str
    green: float
    yellow: float
    score: Callable[[Pairs], list[float]] | None
    reason: str = ""


ROUGE = Scorer("rouge_l", "ROUGE-L", 0.5, 0.2, lambda pairs: [rouge_l(*pair) for pair in pairs])


@dataclass(frozen=True)
class Wrote:
    """All that was written by one pipeline and model."""

    body: Texts
    measures: list[Measure]
    samples: list[TextSample]


def write(samples: Sequence[tuple[Result, TextTruth]], scorers: Sequence[Scorer]) -> Wrote:
    """Results of one pipeline and model beside their truth."""
    texts = ["\n".join(one.whole() for one in result.written()) for result, _ in samples]
    pairs = [(text, truth.text) for text, (_, truth) in zip(texts, samples, strict=True)]
    scores = {one.name: one.score(pairs) for one in scorers if one.score}
    judged = [_judged(pair, {name: values[at] for name, values in scores.items()}) for at, pair in enumerate(pairs)]
    measures = [Measure(one.name, one.title, _mean, "samples", reason=one.reason) for one in scorers]
    named = Measure("exercise", "exercise identified", _mean, "samples", reason='no truth has the form "name - text"')
    for (result, _), one in zip(samples, judged, strict=True):
        for measure in measures:
            if measure.name in one.scores:
                measure.add(result.key(), one.scores[measure.name], 1)
        if one.exercise_correct is not None:
            named.add(result.key(), one.exercise_correct, 1)
    metrics = [_metric(one, scores.get(one.name)) for one in scorers]
    return Wrote(Texts(metrics=metrics, exercises=_exercises(judged)), [*measures, named], judged)


def _judged(pair: tuple[str, str], scores: dict[str, float]) -> TextSample:
    said, true = exercise(pair[0]), exercise(pair[1])
    return TextSample(
        text=pair[0],
        truth=pair[1],
        scores=scores,
        exercise=said,
        true_exercise=true,
        exercise_correct=None if true is None else same_exercise(said, true),
    )


def _metric(scorer: Scorer, scores: list[float] | None) -> Metric:
    return Metric(
        name=scorer.name,
        title=scorer.title,
        green=scorer.green,
        yellow=scorer.yellow,
        mean=statistics.fmean(scores) if scores else None,
        median=statistics.median(scores) if scores else None,
        deviation=statistics.stdev(scores) if scores and len(scores) > 1 else None,
        reason=scorer.reason,
    )


def _exercises(judged: Sequence[TextSample]) -> list[ExerciseRow]:
    rows: dict[str, tuple[int, int]] = {}
    for one in judged:
        if one.true_exercise is not None:
            total, correct = rows.get(one.true_exercise, (0, 0))
            rows[one.true_exercise] = total + 1, correct + bool(one.exercise_correct)
    return [
        ExerciseRow(exercise=name, total=total, correct=correct, accuracy=correct / total)
        for name, (total, correct) in sorted(rows.items())
    ]


def _mean(totals: Floats) -> Floats:
    shares: Floats = np.divide(totals[:, 0], totals[:, 1], out=np.full(len(totals), np.nan), where=totals[:, 1] > 0)
    return shares
