"""Events beside the true ones: precision, recall, F1, average-mAP, and what confidence is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmd.evaluation.bodies import AverageMap, Events, LabelRow
from vlmd.evaluation.calibrating import Example
from vlmd.evaluation.matching import Agree, Score, middle_ms, overlap, overlap_of_any_team, pairs, score, within
from vlmd.evaluation.measure import Measure
from vlmd.evaluation.report import EventRow
from vlmd.evaluation.results import FoundEvent, Key, Result
from vlmd.evaluation.spotting import LOOSE_S, TIGHT_S, UNSHOWN, VISIBLE, Detection, Spot, Tally, average_map, tally
from vlmd.evaluation.truth.kinds import EventTruth, TrueEvent
from vlmd.evaluation.uncertainty import Floats

MOMENT_S = 5.0
"""How far a found event may be from a true moment, unless it is said otherwise."""


@dataclass(frozen=True)
class Pairing:
    """How found and true events are brought together, and the sentence that says so."""

    agree: Agree
    says: str


@dataclass(frozen=True)
class Found:
    """All that was found of one pipeline and model."""

    body: Events
    measures: list[Measure]
    rows: list[list[EventRow]]
    """Of each sample, by time."""
    examples: list[Example]
    without: int
    true: dict[str, int]


def find(samples: Sequence[tuple[Result, EventTruth]], tolerances_s: Sequence[float], within_s: float | None) -> Found:
    """Results of one pipeline and model beside their truth."""
    pairing = _pairing([truth for _, truth in samples], within_s)
    by, rank = _order([event for result, _ in samples for event in result.events or []])
    ordered = [(result, sorted(result.events or [], key=lambda one: -rank(one)), truth) for result, truth in samples]
    rows = [_rows(found, truth.events, pairing.agree) for _, found, truth in ordered]
    labels = _labels([truth for _, truth in samples])
    loose, loose_measure = _spotted(ordered, rank, labels, LOOSE_S, "loose")
    tight, tight_measure = _spotted(ordered, rank, labels, TIGHT_S, "tight")
    body = Events(
        matching=pairing.says,
        order=by,
        rows=_table(ordered, pairing, tolerances_s),
        loose=loose,
        tight=tight,
    )
    keyed = [(result.key(), of_sample) for (result, _), of_sample in zip(samples, rows, strict=True)]
    examples = [
        Example(row.label, row.confidence, row.kind == "matched")
        for of_sample in rows
        for row in of_sample
        if row.kind != "missed" and row.confidence is not None
    ]
    found = sum(row.kind != "missed" for of_sample in rows for row in of_sample)
    true = Counter(event.label for _, truth in samples for event in truth.events)
    measures = [*_counted(keyed), loose_measure, tight_measure]
    return Found(body, measures, rows, examples, found - len(examples), dict(true))


def _pairing(truths: Sequence[EventTruth], within_s: float | None) -> Pairing:
    spans = all(event.end_ms > event.start_ms for truth in truths for event in truth.events)
    teams = any(truth.half is None and event.team for truth in truths for event in truth.events)
    who = "same label and team" if teams else "same label"
    many = "as many pairs as there can be"
    if within_s is None and spans:
        agree = overlap if teams else overlap_of_any_team
        return Pairing(agree, f"{who}, and more than 0.2 s of their spans in common; {many}")
    seconds = MOMENT_S if within_s is None else within_s
    return Pairing(
        within(round(seconds * 1000), teams),
        f"{who}, and the middles of their spans at most {seconds:g} s apart; {many}",
    )


def _order(events: Sequence[FoundEvent]) -> tuple[str, _Rank]:
    """What events are ranked by: the first of three that any of them has; whoever lacks it comes last, with 0."""
    for says, rank in _RANKS:
        lacking = sum(rank(event) is None for event in events)
        if lacking < len(events) or not events:
            rest = f"; {lacking} of {len(events)} events have none and come last" if lacking else ""
            return says + rest, _Rank(rank)
    raise AssertionError("every event has sightings")


class _Rank:
    def __init__(self, rank: object) -> None:
        self._rank = rank

    def __call__(self, event: FoundEvent) -> float:
        value = self._rank(event)  # type: ignore[operator]
        return 0.0 if value is None else float(value)


_RANKS = (
    ("by confidence", lambda event: event.confidence),
    ("by the confidence that the model stated, for want of one of its tokens", lambda event: event.stated_confidence),
    (
        "by the number of windows that show them, for want of any confidence",
        lambda event: (len(event.evidence) + 1) / (len(event.evidence) + 2),
    ),
)


def _labels(truths: Sequence[EventTruth]) -> list[str]:
    """SoccerNet's seventeen, so that figures compare with others'; else those that are true anywhere."""
    from vlmd.evaluation.truth.events import SOCCERNET_LABELS

    if truths and all(truth.half is not None for truth in truths):
        return list(SOCCERNET_LABELS)
    return sorted({event.label for truth in truths for event in truth.events})


def _rows(found: Sequence[FoundEvent], true: Sequence[TrueEvent], agree: Agree) -> list[EventRow]:
    matched = dict(pairs(found, true, agree))
    taken = set(matched.values())
    rows = [
        _row("matched" if at in matched else "false", one, true[matched[at]] if at in matched else None)
        for at, one in enumerate(found)
    ]
    rows += [_row("missed", None, one) for at, one in enumerate(true) if at not in taken]
    return sorted(rows, key=lambda row: row.true or row.found or (0.0, 0.0))


def _row(kind: str, found: FoundEvent | None, true: TrueEvent | None) -> EventRow:
    one = true or found
    assert one is not None
    return EventRow(
        kind=kind,  # type: ignore[arg-type]
        label=one.label,
        team=one.team,
        confidence=found.confidence if found else None,
        found=(found.start_s, found.end_s) if found else None,
        true=(true.start_ms / 1000, true.end_ms / 1000) if true else None,
    )


_Ordered = Sequence[tuple[Result, list[FoundEvent], EventTruth]]


def _table(ordered: _Ordered, pairing: Pairing, tolerances_s: Sequence[float]) -> list[LabelRow]:
    found_labels = {event.label for _, found, _ in ordered for event in found}
    labels = sorted(found_labels | {event.label for _, _, truth in ordered for event in truth.events})
    ways = [(None, pairing.agree), *((seconds, within(round(seconds * 1000))) for seconds in tolerances_s)]
    return [
        _label_row(label, tolerance, _pooled(ordered, label, agree))
        for tolerance, agree in ways
        for label in (None, *labels)
    ]


def _pooled(ordered: _Ordered, label: str | None, agree: Agree) -> Score:
    total = Score(0, 0, 0)
    for _, found, truth in ordered:
        mine = [one for one in found if label in (None, one.label)]
        total += score(mine, [one for one in truth.events if label in (None, one.label)], agree)
    return total


def _label_row(label: str | None, tolerance_s: float | None, counts: Score) -> LabelRow:
    return LabelRow(
        label=label,
        tolerance_s=tolerance_s,
        matched=counts.matched,
        found=counts.found,
        true=counts.true,
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
    )


def _counted(keyed: Sequence[tuple[Key, list[EventRow]]]) -> list[Measure]:
    """Sums are matched, found, true."""
    measures = [
        Measure("precision", "precision", lambda t: _share(t[:, 0], t[:, 1]), "events"),
        Measure("recall", "recall", lambda t: _share(t[:, 0], t[:, 2]), "events"),
        Measure("f1", "F1", lambda t: _share(2 * t[:, 0], t[:, 1] + t[:, 2]), "events"),
    ]
    sums = {"matched": (1, 1, 1), "false": (0, 1, 0), "missed": (0, 0, 1)}
    for measure in measures:
        for key, rows in keyed:
            for row in [sums[row.kind] for row in rows] or [(0, 0, 0)]:  # a video in which nothing is counts, too
                measure.add(key, *row)
    return measures


def _share(part: Floats, whole: Floats) -> Floats:
    """1 where there is nothing, as in `Score`."""
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0)


def _spotted(
    ordered: _Ordered, rank: _Rank, labels: list[str], tolerances_s: Sequence[int], name: str
) -> tuple[AverageMap, Measure]:
    measure = Measure(f"average_map_{name}", f"average-mAP, {name}", lambda t: t[:, 0], "")
    if not labels:
        measure.reason = "the truth holds no event"
        return AverageMap(value=0.0, visible=None, unshown=None, per_label={}), measure
    shape = (len(tolerances_s), len(labels), 200)
    measure.of = lambda totals: _map_of(totals, shape)
    total: Tally | None = None
    for result, found, truth in ordered:
        found_at = [Detection(one.label, middle_ms(one), rank(one)) for one in found]
        spots = [Spot(one.label, middle_ms(one), one.shown is not False) for one in truth.events]
        one = tally(found_at, spots, labels, tolerances_s)
        measure.add(result.key(), *one.hits[0].ravel(), *one.found[0].ravel(), *one.true[0])
        total = one if total is None else total + one
    assert total is not None
    each = total.average_map()
    known = any(event.shown is not None for _, _, truth in ordered for event in truth.events)
    return AverageMap(
        value=float(each.mean()),
        visible=float(total.average_map(VISIBLE).mean()) if known else None,
        unshown=float(total.average_map(UNSHOWN).mean()) if known else None,
        per_label={label: float(value) for label, value in zip(labels, each, strict=True)},
    ), measure


def _map_of(totals: Floats, shape: tuple[int, int, int]) -> Floats:
    """The mean over the labels, from the sums of `_spotted`."""
    tolerances, labels, thresholds = shape
    hits, found, true = np.split(
        totals, [tolerances * labels * thresholds, (tolerances + 1) * labels * thresholds], axis=1
    )
    each = average_map(hits.reshape(-1, *shape), found.reshape(-1, labels, thresholds), true)
    means: Floats = each.mean(axis=-1)
    return means
