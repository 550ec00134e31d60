"""What a report shows, made once for every way to show it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from vlmd.core.names import shown
from vlmd.evaluation.agreement import Agreement, compare, title_of
from vlmd.evaluation.report import Evaluation, Report
from vlmd.evaluation.results import Key, sample_key
from vlmd.reports.said import Said, key_of, side_by_side

Document = dict[str, Any]
Kind = Literal["found", "matched", "missed", "false", "true"]

MOST_TEXT = 600
"""Characters of a text that are shown; what is left out is said."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something on a timeline."""

    start_s: float
    end_s: float
    label: str
    says: str
    """All there is to know of it, in one line."""
    kind: Kind = "found"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    marks: list[Mark]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A video, with a row for each model and one for the truth."""

    video: str
    duration_s: float
    rows: list[Row]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One result in a line."""

    name: str
    title: str
    video: str
    windows: int
    answered: int
    failed: int
    none: int
    unparseable: int
    repaired: int
    found: int
    seen_share: float
    doubts: list[str]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    says: list[str]
    """What somebody must know who reads no further."""
    results: list[Summary]
    timelines: list[Timeline]
    said: list[Said]
    agreement: Agreement
    report: Report | None
    """None where there was no truth to compare with."""

    @property
    def evaluations(self) -> list[Evaluation]:
        return [] if self.report is None else self.report.evaluations


def make(named: Sequence[tuple[str, Document]], report: Report | None = None) -> Book:
    """A book of these results, and of their evaluation where there is one."""
    documents = [document for _, document in named]
    results = [_summary(name, document) for name, document in named]
    agreement = compare(documents)
    says = [] if report is None else list(report.says)
    doubtful = [f"{one.title}, {one.video}: {doubt}" for one in results for doubt in one.doubts]
    says += doubtful[:20]
    if len(doubtful) > 20:
        says.append(f"and {len(doubtful) - 20} more doubts, in the table of results")
    return Book(
        says=says or [f"{len(results)} results, of which none is in doubt"],
        results=results,
        timelines=_timelines(documents, report),
        said=side_by_side(documents),
        agreement=agreement,
        report=report,
    )


def cut(text: str) -> str:
    """A text as it is shown: safe, and with what was left out said."""
    kept = shown(text[:MOST_TEXT].replace("\n", " "))
    return kept if len(text) <= MOST_TEXT else f"{kept} … ({len(text) - MOST_TEXT} more characters)"


def entries(document: Document) -> list[Document]:
    """What a result found, with times, whatever its task."""
    for key in ("events", "captions", "texts", "feedback"):
        if key in document:
            found: list[Document] = document[key]
            return found
    return []


def _summary(name: str, document: Document) -> Summary:
    coverage, answers = document["coverage"], document["answers"]
    choice = document.get("choice")
    return Summary(
        name=shown(name),
        title=title_of(document),
        video=document["video"]["name"],
        windows=coverage["windows"],
        answered=coverage["answered"],
        failed=coverage["failed"],
        none=answers["none"],
        unparseable=answers["unparseable"],
        repaired=answers["repaired"],
        found=len(entries(document)) if choice is None else int(choice["answer"] is not None),
        seen_share=coverage["share_of_video"] or 0.0,
        doubts=list(document.get("doubts", ())),
    )


def _timelines(documents: Sequence[Document], report: Report | None) -> list[Timeline]:
    videos: dict[Key, list[Document]] = {}
    for document in documents:
        if entries(document):
            videos.setdefault(key_of(document), []).append(document)
    truths = _truths(report)
    return [
        Timeline(
            video=group[0]["video"]["name"],
            duration_s=group[0]["video"]["duration_s"] or _last(group),
            rows=[*truths.get(key, []), *(_row(document) for document in group)],
        )
        for key, group in videos.items()
    ]


def _last(group: Sequence[Document]) -> float:
    return max((entry["end_s"] for document in group for entry in entries(document)), default=1.0)


def _row(document: Document) -> Row:
    return Row(title=title_of(document), marks=[_mark(entry) for entry in entries(document)])


def _mark(entry: Document) -> Mark:
    label = str(entry.get("label") or entry.get("name") or "")
    text = str(entry.get("text") or entry.get("details") or "")
    team, confidence = entry.get("team"), entry.get("confidence")
    words = [f"{label}, {team}" if team else label, "" if confidence is None else f"{confidence:.2f}", cut(text)]
    says = " · ".join(word for word in words if word)
    return Mark(start_s=entry["start_s"], end_s=entry["end_s"], label=label, says=says)


def _truths(report: Report | None) -> dict[Key, list[Row]]:
    """The true events of every video, missed ones marked: as the first model has them."""
    rows: dict[Key, list[Row]] = {}
    for evaluation in [] if report is None else report.evaluations:
        for sample in evaluation.samples:
            true = [event for event in sample.events or () if event.true is not None]
            key = sample_key(sample.sha256, sample.video, sample.id)
            if key in rows or not true:
                continue
            marks = [
                Mark(
                    start_s=event.true[0],
                    end_s=event.true[1],
                    label=event.label,
                    says=f"{event.label}, {event.team}" if event.team else event.label,
                    kind="missed" if event.kind == "missed" else "true",
                )
                for event in true
                if event.true is not None
            ]
            rows[key] = [Row(title="truth", marks=marks)]
    return rows
