"""A calibration made of evaluated results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vlmd.core.calibration import Calibration, FittedOn
from vlmd.core.errors import UsageError
from vlmd.evaluation.calibrating import MIN_EXAMPLES, Example, fit, reliability
from vlmd.evaluation.evaluate import Group
from vlmd.evaluation.report import Fitted


def fitted(name: str, path: str, groups: Sequence[Group]) -> tuple[Calibration, Fitted]:
    """Of all groups together. Raises `UsageError` where there is nothing to fit on."""
    calibrated = [n for group in groups for n, result, _ in group.samples if result.calibration]
    if calibrated:
        raise UsageError(f"{calibrated[0]} was already calibrated; fit on results of a pipeline without calibration")
    examples = [example for group in groups for example in group.examples]
    if len(examples) < MIN_EXAMPLES:
        raise UsageError(
            f"{len(examples)} answers have a confidence, and a calibration takes {MIN_EXAMPLES}; name more results"
        )
    true = sum((Counter(group.true) for group in groups), Counter())
    made = fit(examples, dict(true))
    calibration = Calibration(
        name=name, fitted_on=_on(groups), pooled=made.pooled, labels=made.labels, too_few=made.too_few
    )
    scaled = [Example(one.label, made.scaled(one), one.right) for one in examples]
    told = Fitted(
        name=name,
        path=path,
        says=_says(examples, made.too_few),
        ece_before=reliability(examples).ece or 0.0,
        ece_after=reliability(scaled).ece or 0.0,
    )
    return calibration, told


def _on(groups: Sequence[Group]) -> FittedOn:
    samples = [sample for group in groups for sample in group.samples]
    return FittedOn(
        task=samples[0][1].kind,
        pipelines=sorted({group.pipeline for group in groups}),
        models=sorted({group.model.name for group in groups} - {""}),
        videos=sorted({result.video.name for _, result, _ in samples}),
        truth=sorted({truth.file for _, _, truth in samples if truth.file}),
        matching=groups[0].matching,
    )


def _says(examples: Sequence[Example], too_few: dict[str, int]) -> list[str]:
    said = [f"fitted on {len(examples)} answers, which are those evaluated here: the error after it flatters it"]
    if named := ", ".join(f"{label or 'answers'} ({count})" for label, count in too_few.items()):
        said.append(f"too few examples, or all of them right or wrong; scaled like all others: {named}")
    return said
