"""Results beside truth become a report: grouped by pipeline and model, paired, measured, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.core.numbers import counted
from vlmd.evaluation.calibrating import Example, reliability
from vlmd.evaluation.choosing import choose
from vlmd.evaluation.finding import find
from vlmd.evaluation.measure import Measure
from vlmd.evaluation.pairing import truth_of
from vlmd.evaluation.report import Answers, Comparison, Evaluation, Model, Report, Sample, Skipped
from vlmd.evaluation.report import Truth as TruthTold
from vlmd.evaluation.results import Result, read_result
from vlmd.evaluation.truth.kinds import EventTruth, Truth
from vlmd.evaluation.uncertainty import ROUNDS, SEED
from vlmd.evaluation.writing import ROUGE, Scorer, write

TOLERANCES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
Side = Literal["a", "b"]
Named = tuple[str, dict[str, Any]]
"""A result document with what to call it."""


@dataclass(frozen=True)
class Options:
    """How to evaluate."""

    tolerances_s: Sequence[float] = TOLERANCES_S
    within_s: float | None = None
    """How far apart the middles of paired events may lie; None: spans must overlap where the truth has spans."""
    known_labels: bool = False
    """Leave true events out whose label the pipeline does not know."""
    scorers: Sequence[Scorer] = (ROUGE,)
    seed: int = SEED


@dataclass
class Group:
    """The results of one pipeline and model, and what came of them."""

    side: Side
    pipeline: str
    model: Model
    samples: list[tuple[str, Result, Truth]] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    true: dict[str, int] = field(default_factory=dict)
    """True events by label; for answers, the questions."""
    matching: str = ""

    @property
    def title(self) -> str:
        return shown(", ".join(filter(None, (self.pipeline, self.model.name))))


def evaluate(
    results: Sequence[Named], against: Sequence[Named], truths: Sequence[Truth], notes: Sequence[str], options: Options
) -> tuple[Report, list[Group]]:
    """The report, and the groups that a calibration can be fitted on. Raises `UsageError`."""
    groups: dict[tuple[object, ...], Group] = {}
    skipped: list[Skipped] = []
    said = list(notes)
    for side, named in (("a", results), ("b", against)):
        for name, document in named:
            _sort_in(side, name, read_result(name, document), truths, groups, skipped)  # type: ignore[arg-type]
    if not groups:
        raise UsageError(_nothing(skipped, truths))
    for group in groups.values():
        _know_labels(group, options, said)
    evaluations = [_evaluation(group, options) for group in groups.values()]
    said.append(f"intervals hold 95 % of {ROUNDS} bootstrap samples, seed {options.seed}")
    report = Report(
        says=[*(f"{one.title}: {said}" for one in evaluations for said in one.says), *map(_headline, evaluations)],
        notes=said,
        truth=_told(list(groups.values())),
        evaluations=evaluations,
        comparisons=_comparisons(list(groups.values()), options.seed),
        skipped=skipped,
    )
    return report, list(groups.values())


def _sort_in(
    side: Side,
    name: str,
    result: Result,
    truths: Sequence[Truth],
    groups: dict[tuple[object, ...], Group],
    skipped: list[Skipped],
) -> None:
    truth = truth_of(result, truths)
    if isinstance(truth, str):
        skipped.append(Skipped(name=name, video=result.video.name, reason=truth))
        return
    model = result.model
    key = (side, result.pipeline, result.kind, model)
    told = Model(*(part or "" for part in msgspec.structs.astuple(model)))
    group = groups.setdefault(key, Group(side, result.pipeline, told))
    for other, held, _ in group.samples:
        if held.key() == result.key():
            raise UsageError(f"{shown(other)} and {shown(name)} are results of the same sample; name one of them")
    group.samples.append((name, result, truth))


def _nothing(skipped: Sequence[Skipped], truths: Sequence[Truth]) -> str:
    if not skipped:
        return "there is no result to evaluate"
    known = sorted({truth.video or truth.file for truth in truths})
    of = f"; the truth is of {shown(', '.join(known[:3]))}" if known else "; say where it is with --truth"
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    first = skipped[0]
    which = shown(f"{first.name} ({first.video})")
    return f"no result can be evaluated: {which}{more}: {first.reason}{of}"


def _know_labels(group: Group, options: Options, notes: list[str]) -> None:
    """The truth speaks of nothing that the pipeline cannot find."""
    for at, (name, result, truth) in enumerate(group.samples):
        if not isinstance(truth, EventTruth) or not result.labels:
            continue
        unknown = sorted({event.label for event in truth.events} - set(result.labels))
        if not unknown:
            continue
        if not options.known_labels:
            raise UsageError(
                f"{truth.file} has labels that pipeline {shown(result.pipeline)} does not know: "
                f"{shown(', '.join(unknown))}; it knows {shown(', '.join(result.labels))}; "
                "correct them, or leave them out with --known-labels"
            )
        kept = tuple(event for event in truth.events if event.label in result.labels)
        notes.append(
            f"{truth.file}: {len(truth.events) - len(kept)} true events were left out, their labels are not known "
            f"to pipeline {shown(result.pipeline)}: {shown(', '.join(unknown))}"
        )
        fewer = EventTruth(truth.file, truth.kind, truth.video, kept, truth.sha256, truth.half)
        group.samples[at] = (name, result, fewer)


def _evaluation(group: Group, options: Options) -> Evaluation:
    pairs: list[Any] = [(result, truth) for _, result, truth in group.samples]
    first = pairs[0][0]
    bodies: dict[str, Any]
    parts: list[dict[str, Any]]
    if first.kind == "events":
        found = find(pairs, options.tolerances_s, options.within_s)
        group.measures, group.examples, group.true = found.measures, found.examples, found.true
        group.matching = found.body.matching
        bodies = {"events": found.body, "reliability": reliability(found.examples, found.without)}
        parts = [{"events": rows} for rows in found.rows]
    elif first.kind == "choice":
        chose = choose(pairs)
        group.measures, group.examples, group.true = chose.measures, chose.examples, {"": len(pairs)}
        group.matching = "the chosen letter is the right one"
        bodies = {"choice": chose.body, "reliability": reliability(chose.examples, chose.without)}
        parts = [{"choice": one} for one in chose.samples]
    else:
        wrote = write(pairs, options.scorers)
        group.measures = wrote.measures
        bodies = {"texts": wrote.body}
        parts = [{"text": one} for one in wrote.samples]
    answers = _answers([result for result, _ in pairs])
    return Evaluation(
        title=group.title,
        side=group.side,
        pipeline=group.pipeline,
        task=str(first.task.get("name")),
        model=group.model,
        says=_says(answers, [result for result, _ in pairs]),
        answers=answers,
        figures=[measure.figure(options.seed) for measure in group.measures],
        samples=[_sample(*one, part) for one, part in zip(group.samples, parts, strict=True)],
        **bodies,
    )


def _sample(name: str, result: Result, truth: Truth, part: dict[str, Any]) -> Sample:
    return Sample(
        name=name,
        video=result.video.name,
        sha256=result.video.sha256,
        duration_s=result.video.duration_s,
        id=result.inputs.id if result.inputs else None,
        truth_file=truth.file,
        seen_share=float(result.coverage.get("share_of_video") or 0),
        doubts=result.doubts,
        **part,
    )


def _answers(results: Sequence[Result]) -> Answers:
    def covered(name: str) -> int:
        return sum(int(result.coverage.get(name) or 0) for result in results)

    def counted(name: str) -> int:
        return sum(result.counts(name) for result in results)

    return Answers(
        results=len(results),
        windows=covered("windows"),
        answered=covered("answered"),
        failed=covered("failed"),
        none=counted("none"),
        unparseable=counted("unparseable"),
        repaired=counted("repaired"),
    )


def _says(answers: Answers, results: Sequence[Result]) -> list[str]:
    """Results that look like a finding and are none."""
    said = []
    if not answers.answered:
        said.append("no window was answered")
    elif answers.unparseable == answers.answered:
        said.append(f"not one of {answers.answered} answers could be parsed")
    elif answers.none == answers.answered:
        said.append(f"every one of {answers.answered} windows answered none")
    elif answers.none + answers.unparseable == answers.answered:
        said.append(f"all {answers.answered} answers are none ({answers.none}) or unparseable ({answers.unparseable})")
    elif answers.share_unparseable > 0.1:
        said.append(f"{answers.unparseable} of {answers.answered} answers could not be parsed")
    if answers.failed:
        said.append(f"{answers.failed} of {answers.windows} windows failed")
    if pending := sum(int(result.coverage.get("pending") or 0) for result in results):
        said.append(f"{pending} windows are still to be answered")
    partly = sum(float(result.coverage.get("share_of_video") or 0) < 0.95 for result in results)
    if partly and results[0].kind == "events":
        said.append(f"of {partly} of {len(results)} videos less than 95 % was looked at")
    return said


def _headline(one: Evaluation) -> str:
    figures = [figure for figure in one.figures if figure.value is not None]
    told = [
        f"{figure.title} {figure.value:.3f}"
        + (f" ({figure.low:.3f} to {figure.high:.3f})" if figure.low is not None and figure.high is not None else "")
        for figure in figures
    ]
    return f"{one.title}: {', '.join(told) or 'nothing to measure'}; {counted(len(one.samples), 'result')}"


def _told(groups: Sequence[Group]) -> TruthTold:
    truths = [truth for group in groups for _, _, truth in group.samples]
    return TruthTold(
        files=sorted({truth.file for truth in truths if truth.file}),
        kinds=sorted({truth.kind for truth in truths}),
        samples=len({result.key() for group in groups for _, result, _ in group.samples}),
    )


def _comparisons(groups: Sequence[Group], seed: int) -> list[Comparison]:
    """Every figure of every model of side a against every one of side b that does the same."""
    found: list[Comparison] = []
    for a in (group for group in groups if group.side == "a"):
        for b in (group for group in groups if group.side == "b"):
            theirs = {measure.name: measure for measure in b.measures}
            made = [
                measure.against(theirs[measure.name], a.title, b.title, seed)
                for measure in a.measures
                if measure.name in theirs and not _other_labels(measure, theirs[measure.name])
            ]
            found += [one for one in made if one is not None]
    return found


def _other_labels(one: Measure, another: Measure) -> bool:
    """Sums of different labels cannot be exchanged."""
    return bool(one.rows and another.rows) and len(one.rows[0].sums) != len(another.rows[0].sums)
