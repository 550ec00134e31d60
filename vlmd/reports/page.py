"""One HTML file that needs nothing else: no network, no script. Whatever a model wrote is text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from vlmd import __version__
from vlmd.evaluation.bodies import Metric
from vlmd.evaluation.report import Evaluation
from vlmd.reports.book import Book, cut
from vlmd.reports.marks import clock, reliability, timeline
from vlmd.reports.style import STYLE

MOST_TIMELINES = 60
MOST_ROWS = 1000
"""Of a table; the workbook has all."""

Cell = tuple[object, str]
"""A value and its class."""


def page(book: Book, title: str = "vlmd report") -> Iterator[str]:
    """The file in pieces."""
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
    yield f'<ul class="says">{"".join(f"<li>{escape(said)}</li>" for said in book.says)}</ul>'
    for evaluation in book.evaluations:
        yield from _evaluation(evaluation)
    yield from _comparisons(book)
    yield from _timelines(book)
    yield from _said(book)
    yield from _agreement(book)
    yield from _results(book)
    for evaluation in book.evaluations:
        yield from _samples(evaluation)
    yield f"<footer>vlmd {escape(__version__)}</footer></main></body></html>\n"


def _evaluation(one: Evaluation) -> Iterator[str]:
    yield f"<section><h2>{escape(one.title)}</h2>"
    rows = [
        [(figure.title, ""), (_number(figure.value), "n"), (_range(figure.low, figure.high), "n"),
         (figure.drawn, ""), (figure.reason, "dim")]
        for figure in one.figures
    ]  # fmt: skip
    yield _table(["figure", "value", "95 % interval", "over", ""], rows)
    if one.events:
        yield f"<h3>By label</h3><p class=note>{escape(one.events.matching)}</p>"
        yield _table(
            ["label", "right", "found", "true", "precision", "recall", "F1", "AP loose", "AP tight"],
            [
                [(row.label or "all", ""), (row.matched, "n"), (row.found, "n"), (row.true, "n"),
                 *((_number(rate), "n") for rate in row.rates()),
                 (_number(one.events.loose.per_label.get(row.label or "")), "n"),
                 (_number(one.events.tight.per_label.get(row.label or "")), "n")]
                for row in one.events.rows
                if row.tolerance_s is None
            ],
        )  # fmt: skip
    if one.choice and one.choice.types:
        yield _table(
            ["type", "questions", "answered", "right", "accuracy"],
            [[(t.type, ""), (t.total, "n"), (t.answered, "n"), (t.correct, "n"), (_number(t.accuracy), "n")]
             for t in one.choice.types],
        )  # fmt: skip
    if one.texts and one.texts.exercises:
        yield _table(
            ["exercise", "samples", "right", "accuracy"],
            [[(e.exercise, ""), (e.total, "n"), (e.correct, "n"), (_number(e.accuracy), "n")]
             for e in one.texts.exercises],
        )  # fmt: skip
    if one.reliability and one.reliability.ece is not None:
        yield "<h3>What confidence is worth</h3><div class=pair>"
        yield reliability(one.reliability.bins)
        yield (
            f"<p class=note>Expected calibration error {one.reliability.ece:.3f}, over {one.reliability.count} "
            f"confidences; {one.reliability.without} had none. On the line, confidence is the share that is right.</p>"
        )
        yield "</div>"
    yield "</section>"


def _comparisons(book: Book) -> Iterator[str]:
    if book.report is None or not book.report.comparisons:
        return
    yield "<section><h2>Model against model</h2>"
    yield _table(
        ["figure", "a", "b", "of a", "of b", "a - b", "95 % interval", "p"],
        [
            [(c.title, ""), (c.a, ""), (c.b, ""), (_number(c.value_a), "n"), (_number(c.value_b), "n"),
             (f"{c.difference:+.3f}", "n"), (_range(c.low, c.high), "n"), (_number(c.p), "n")]
            for c in book.report.comparisons
        ],
    )  # fmt: skip
    yield "</section>"


def _timelines(book: Book) -> Iterator[str]:
    if not book.timelines:
        return
    colours = sorted({mark.label for one in book.timelines for row in one.rows for mark in row.marks if mark.label})
    yield "<section><h2>Timelines</h2>"
    if colours:
        legend = "".join(f'<span><i class="c{at % 8}"></i>{escape(cut(name))}</span>' for at, name in
                         enumerate(colours[:24]))  # fmt: skip
        yield f'<p class="legend">{legend}</p>'
    for one in book.timelines[:MOST_TIMELINES]:
        yield f"<figure><figcaption>{escape(one.video)} <span>{clock(one.duration_s)}</span></figcaption>"
        yield f"{timeline(one, colours)}</figure>"
    if (more := len(book.timelines) - MOST_TIMELINES) > 0:
        yield f"<p class=note>{more} more videos are in the workbook only.</p>"
    yield "</section>"


def _said(book: Book) -> Iterator[str]:
    for one in book.said[:MOST_TIMELINES]:
        yield f"<section><h2>What was said</h2><h3>{escape(one.video or 'Questions')}</h3>"
        yield _table(
            ["question" if not one.video else "window", *one.models],
            [
                [((line.asked and cut(line.asked)) or _span(line.start_s, line.end_s), "wrap" if line.asked else ""),
                 *((cut(text), "wrap") for text in line.said)]
                for line in one.lines
            ],
        )  # fmt: skip
        yield "</section>"
    if (more := len(book.said) - MOST_TIMELINES) > 0:
        yield f"<p class=note>What was said of {more} more videos is in the workbook only.</p>"


def _span(start_s: float | None, end_s: float | None) -> str:
    return "" if start_s is None or end_s is None else f"{clock(start_s)} to {clock(end_s)}"


def _agreement(book: Book) -> Iterator[str]:
    agreement = book.agreement
    yield "<section><h2>Models</h2>"
    yield _table(
        ["model", "results", "windows", "video", "device time", "real-time factor", "seconds a window"],
        [
            [(t.title, ""), (t.results, "n"), (t.windows, "n"), (clock(t.video_s), "n"), (f"{t.device_s:.1f} s", "n"),
             (_number(t.real_time_factor), "n"), (_number(t.seconds_per_window), "n")]
            for t in agreement.timings
        ],
    )  # fmt: skip
    yield "<p class=note>Time of the device for answers, without loading the model; windows of one batch share it.</p>"
    if agreement.pairs and agreement.videos:
        yield f"<h3>Agreement</h3><p class=note>Events within {agreement.tolerance_s:g} s are the same.</p>"
        yield _table(
            ["a", "b", "both", "only a", "only b", "agreement", "kappa"],
            [
                [(p.a, ""), (p.b, ""), (p.both, "n"), (p.only_a, "n"), (p.only_b, "n"), (_number(p.agreement), "n"),
                 (_number(p.kappa), "n")]
                for p in agreement.pairs
            ],
        )  # fmt: skip
    yield "</section>"


def _results(book: Book) -> Iterator[str]:
    yield "<section><h2>Results</h2>"
    yield _table(
        ["result", "model", "windows", "failed", "none", "unparseable", "repaired", "found", "seen", "doubts"],
        [
            [(r.name, "wrap"), (r.title, ""), (r.windows, "n"), (r.failed, "n"), (r.none, "n"),
             (r.unparseable, "n"), (r.repaired, "n"), (r.found, "n"), (f"{r.seen_share:.0%}", "n"),
             ("; ".join(r.doubts), "wrap doubt" if r.doubts else "")]
            for r in book.results
        ],
    )  # fmt: skip
    yield "</section>"


def _samples(one: Evaluation) -> Iterator[str]:
    choices = [(sample, sample.choice) for sample in one.samples if sample.choice]
    texts = [(sample, sample.text) for sample in one.samples if sample.text]
    if not choices and not texts:
        return
    yield f"<section><h2>Samples of {escape(one.title)}</h2>"
    if choices:
        yield _table(
            ["video", "sample", "question", "answer", "truth", "confidence", "why none"],
            [
                [(s.video, "wrap"), (s.id or "", ""), (cut(c.question), "wrap"),
                 (c.answer or "", "green" if c.correct else "red"), (c.truth, ""), (_number(c.confidence), "n"),
                 (c.reason or "", "wrap")]
                for s, c in choices
            ],
        )  # fmt: skip
    metrics = one.texts.metrics if one.texts else []
    if texts:
        yield _table(
            ["video", "truth", "answer", "exercise", *(metric.title for metric in metrics)],
            [
                [(s.video, "wrap"), (cut(t.truth), "wrap"), (cut(t.text), "wrap"), _exercise(t.exercise_correct),
                 *(_scored(metric, t.scores.get(metric.name)) for metric in metrics)]
                for s, t in texts
            ],
        )  # fmt: skip
    yield "</section>"


def _exercise(correct: bool | None) -> Cell:
    return ("", "") if correct is None else ("right", "green") if correct else ("wrong", "red")


def _scored(metric: Metric, value: float | None) -> Cell:
    return _number(value), f"n {grade(metric, value)}"


def grade(metric: Metric, value: float | None) -> str:
    """green, yellow or red, by the metric's own bounds; nothing where there is no score."""
    if value is None:
        return ""
    return "green" if value >= metric.green else "yellow" if value >= metric.yellow else "red"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    held = list(rows)
    kinds = [kind for _, kind in held[0]] if held else [""] * len(columns)
    head = "".join(f'<th class="{kind[:1]}">{escape(column)}</th>' for column, kind in zip(columns, kinds, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in held[:MOST_ROWS])
    more = len(held) - MOST_ROWS
    left = f"<p class=note>{more} more rows are in the workbook.</p>" if more > 0 else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{left}'


def _cell(cell: Cell) -> str:
    value, kind = cell
    return f'<td class="{kind}">{escape(str(value))}</td>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
