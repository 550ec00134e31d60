"""Answers beside the right ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmd.evaluation.bodies import Choice, TypeRow
from vlmd.evaluation.calibrating import Example
from vlmd.evaluation.measure import Measure
from vlmd.evaluation.pairing import right_choice
from vlmd.evaluation.report import ChoiceSample
from vlmd.evaluation.results import Chosen, Result
from vlmd.evaluation.truth.kinds import ChoiceTruth
from vlmd.evaluation.uncertainty import Floats


@dataclass(frozen=True)
class Chose:
    """All that was chosen by one pipeline and model."""

    body: Choice
    measures: list[Measure]
    samples: list[ChoiceSample]
    examples: list[Example]
    without: int


def choose(samples: Sequence[tuple[Result, ChoiceTruth]]) -> Chose:
    """Results of one pipeline and model beside their truth."""
    judged = [_judged(result, truth) for result, truth in samples]
    accuracy = Measure("accuracy", "accuracy", _share, "questions")
    answered = Measure("accuracy_answered", "accuracy of the answered", _share, "questions")
    answered.reason = "no question was answered"
    for (result, _), one in zip(samples, judged, strict=True):
        accuracy.add(result.key(), one.correct, 1)
        if one.answer is not None:
            answered.add(result.key(), one.correct, 1)
    sure = [Example("", one.confidence, one.correct) for one in judged if one.answer and one.confidence is not None]
    without = sum(one.answer is not None for one in judged) - len(sure)
    return Chose(_body(judged), [accuracy, answered], judged, sure, without)


def _judged(result: Result, truth: ChoiceTruth) -> ChoiceSample:
    chosen = result.choice or Chosen(None, None, reason="there is no answer")
    choices = result.inputs.choices if result.inputs else []
    right = right_choice(truth, choices or [str(one) for one in result.task.get("choices") or []])
    return ChoiceSample(
        question=(result.inputs.question if result.inputs else None) or truth.question,
        answer=chosen.answer,
        truth=chr(ord("A") + right),
        correct=chosen.index == right,
        confidence=chosen.confidence,
        reason=chosen.reason,
        type=truth.type,
    )


def _body(judged: Sequence[ChoiceSample]) -> Choice:
    answered = [one for one in judged if one.answer is not None]
    correct = sum(one.correct for one in judged)
    reasons = Counter(one.reason or "no reason is given" for one in judged if one.answer is None)
    return Choice(
        total=len(judged),
        answered=len(answered),
        correct=correct,
        accuracy=correct / len(judged),
        accuracy_answered=correct / len(answered) if answered else None,
        reasons=dict(reasons),
        types=[_type(kind, judged) for kind in sorted({one.type for one in judged if one.type})],
    )


def _type(kind: str, judged: Sequence[ChoiceSample]) -> TypeRow:
    held = [one for one in judged if one.type == kind]
    correct = sum(one.correct for one in held)
    answered = sum(one.answer is not None for one in held)
    return TypeRow(type=kind, total=len(held), answered=answered, correct=correct, accuracy=correct / len(held))


def _share(totals: Floats) -> Floats:
    shares: Floats = np.divide(totals[:, 0], totals[:, 1], out=np.full(len(totals), np.nan), where=totals[:, 1] > 0)
    return shares
