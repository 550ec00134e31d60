"""Model beside model on the same videos: what all of them found, what only some did, and how long each took.

Two models mean the same event where label and team are the same and their windows start at most a tolerance apart
(`core/tasks/ensemble.py`). Of questions, Cohen's kappa says how much more two models agree than chance would have it.
Source: J. Cohen, A coefficient of agreement for nominal scales, 1960.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import msgspec

from vlmd.core.inputs import Outcome, Span
from vlmd.core.tasks.ensemble import Agreed, agree
from vlmd.core.video import seconds_to_ms
from vlmd.evaluation.results import Key, sample_key

Document = dict[str, Any]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's answers took, without loading it and without reading videos.

    Windows that were answered together share their batch's time evenly: this is the time of the device, not of any
    single window.
    """

    title: str
    results: int
    windows: int
    video_s: float
    device_s: float
    real_time_factor: float | None
    """Seconds of the device for each second of video; below 1 is faster than the video."""
    seconds_per_window: float | None


class LabelCount(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    found: dict[str, int]
    """By model."""
    by_all: int
    by_one: int
    """Events that one model alone found."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    a: str
    b: str
    both: int
    """Events, or questions with the same answer."""
    only_a: int
    only_b: int
    agreement: float | None
    """Of all events that either found, the share that both did; of questions, the share with the same answer."""
    kappa: float | None = None
    """Of questions only."""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    video: str
    start_s: float
    end_s: float
    label: str
    team: str | None
    seen_by: list[str]
    not_by: list[str]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    titles: list[str]
    videos: int
    """That more than one model looked at."""
    tolerance_s: float
    labels: list[LabelCount]
    pairs: list[Pair]
    """Empty where there are neither events nor choices: no two captions are the same."""
    disagreements: list[Disagreement]
    timings: list[Timing]


def title_of(document: Document) -> str:
    """Pipeline and model; recipes that differ otherwise are told apart by the beginning of their digest."""
    model = document["model"]["name"]
    return f"{document['pipeline']}, {model}" if model else str(document["pipeline"])


def compare(documents: Iterable[Document], tolerance_s: float = 3.0) -> Agreement:
    """Any number of results, of any number of models, paired by the videos' contents."""
    titled = list(_titled(documents))
    titles = list(dict.fromkeys(title for title, _ in titled))
    videos = _by_video(titled)
    shared = {key: group for key, group in videos.items() if len(group) > 1}
    agreed = [(group, agree(_outcomes(group), seconds_to_ms(tolerance_s))) for group in shared.values()]
    comparable = any("choice" in document or "events" in document for _, document in titled)
    return Agreement(
        titles=titles,
        videos=len(shared),
        tolerance_s=tolerance_s,
        labels=_labels(agreed),
        pairs=[_pair(a, b, agreed, list(shared.values())) for a, b in combinations(titles, 2)] if comparable else [],
        disagreements=[one for group, events in agreed for one in _disagreements(group, events)],
        timings=[_timing(title, [document for name, document in titled if name == title]) for title in titles],
    )


def _titled(documents: Iterable[Document]) -> Iterable[tuple[str, Document]]:
    recipes: dict[str, dict[str, None]] = {}
    held = list(documents)
    for document in held:
        recipes.setdefault(title_of(document), {})[_recipe(document)] = None
    for document in held:
        title = title_of(document)
        several = len(recipes[title]) > 1 and document.get("inputs") is None
        yield (f"{title} ({_recipe(document)[:8]})" if several else title), document


def _recipe(document: Document) -> str:
    return str(document["recipe"]["digest"])


def _by_video(titled: Iterable[tuple[str, Document]]) -> dict[Key, dict[str, Document]]:
    """Samples → the results of every model."""
    videos: dict[Key, dict[str, Document]] = {}
    for title, document in titled:
        video, sample = document["video"], (document.get("inputs") or {}).get("id")
        videos.setdefault(sample_key(video["sha256"], video["name"], sample), {})[title] = document
    return videos


def _outcomes(group: dict[str, Document]) -> dict[str, Outcome]:
    return {title: Outcome(spans=[_span(event) for event in document.get("events", [])])
            for title, document in group.items()}  # fmt: skip


def _span(event: dict[str, Any]) -> Span:
    return Span(
        start_ms=seconds_to_ms(event["start_s"]),
        end_ms=seconds_to_ms(event["end_s"]),
        label=event["label"],
        team=event["team"],
        confidence=event["confidence"],
    )


Group = dict[str, Document]


def _labels(agreed: Sequence[tuple[Group, list[Agreed]]]) -> list[LabelCount]:
    every = [(group, event) for group, events in agreed for event in events]
    rows = []
    for label in sorted({event.label for _, event in every}):
        mine = [(group, event) for group, event in every if event.label == label]
        found = Counter(title for _, event in mine for title in event.sightings)
        by_all = sum(len(event.sightings) == len(group) for group, event in mine)
        by_one = sum(len(event.sightings) == 1 for _, event in mine)
        rows.append(LabelCount(label=label, found=dict(sorted(found.items())), by_all=by_all, by_one=by_one))
    return rows


def _pair(a: str, b: str, agreed: Sequence[tuple[Group, list[Agreed]]], groups: Sequence[Group]) -> Pair:
    answers = [
        (group[a]["choice"]["answer"], group[b]["choice"]["answer"])
        for group in groups
        if a in group and b in group and "choice" in group[a] and "choice" in group[b]
    ]
    if answers:
        same = sum(one == other and one is not None for one, other in answers)
        return Pair(
            a=a, b=b, both=same, only_a=sum(other is None for _, other in answers),
            only_b=sum(one is None for one, _ in answers), agreement=same / len(answers), kappa=_kappa(answers),
        )  # fmt: skip
    events = [event for group, found in agreed if a in group and b in group for event in found]
    both = sum(a in event.sightings and b in event.sightings for event in events)
    only_a = sum(a in event.sightings for event in events) - both
    only_b = sum(b in event.sightings for event in events) - both
    total = both + only_a + only_b
    return Pair(a=a, b=b, both=both, only_a=only_a, only_b=only_b, agreement=both / total if total else None)


def _kappa(answers: Sequence[tuple[str | None, str | None]]) -> float | None:
    """None where chance alone explains everything: both always say the same one thing."""
    count = len(answers)
    same = sum(one == other for one, other in answers) / count
    first, second = Counter(one for one, _ in answers), Counter(other for _, other in answers)
    chance = sum(first[answer] * second[answer] for answer in first) / count**2
    return None if chance == 1 else round((same - chance) / (1 - chance), 4)


def _disagreements(group: Group, events: Sequence[Agreed]) -> Iterable[Disagreement]:
    video = next(iter(group.values()))["video"]["name"]
    for event in events:
        if len(event.sightings) < len(group):
            yield Disagreement(
                video=video,
                start_s=event.start_ms / 1000,
                end_s=event.end_ms / 1000,
                label=event.label,
                team=event.team,
                seen_by=list(event.sightings),
                not_by=[title for title in group if title not in event.sightings],
            )


def _timing(title: str, documents: Sequence[Document]) -> Timing:
    windows = [one for document in documents for one in document["run"]["windows"]]
    device_s = sum(one["generate_ms"] / max(1, one["batch"]) for one in windows) / 1000
    video_s = sum(document["video"]["duration_s"] or 0.0 for document in documents)
    return Timing(
        title=title,
        results=len(documents),
        windows=len(windows),
        video_s=round(video_s, 3),
        device_s=round(device_s, 3),
        real_time_factor=round(device_s / video_s, 4) if video_s and windows else None,
        seconds_per_window=round(device_s / len(windows), 4) if windows else None,
    )
