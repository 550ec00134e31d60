"""One Excel file: samples with coloured scores, statistics, labels, models, and charts. Text stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from vlmd.core.names import plain
from vlmd.evaluation.bodies import Metric
from vlmd.evaluation.report import Evaluation
from vlmd.reports.book import Book
from vlmd.reports.page import grade

_MOST_CHARACTERS = 32_000
"""Excel's cells hold 32,767."""
_OPTIONS = dict.fromkeys(("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False)
_COLOURS = {"green": "#C6EFCE", "yellow": "#FFEB9C", "red": "#FFC7CE"}


def write_workbook(book: Book, path: Path) -> None:
    """Write it whole. Raises `OSError`."""
    with xlsxwriter.Workbook(str(path), _OPTIONS) as workbook:
        sheets = _Sheets(workbook)
        sheets.summary(book)
        sheets.samples(book.evaluations)
        sheets.statistics(book.evaluations)
        sheets.labels(book.evaluations)
        sheets.models(book)
        sheets.events(book)
        if book.said:
            sheets.said(book)


class _Sheets:
    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._bold = workbook.add_format({"bold": True, "bottom": 1})
        self._wrap = workbook.add_format({"text_wrap": True, "valign": "top"})
        self._number = workbook.add_format({"num_format": "0.000"})
        self._graded = {
            name: workbook.add_format({"bg_color": colour, "num_format": "0.000"}) for name, colour in _COLOURS.items()
        }

    def summary(self, book: Book) -> None:
        sheet = self._sheet("Summary", ["what it comes to"], [110])
        for row, said in enumerate(book.says, 1):
            self._write(sheet, row, 0, said)
        columns = ["result", "model", "video", "windows", "answered", "failed", "none", "unparseable", "repaired",
                   "found", "seen", "doubts"]  # fmt: skip
        sheet = self._sheet("Results", columns, [40, 24, 30, 9, 9, 8, 8, 12, 10, 8, 8, 60])
        for row, one in enumerate(book.results, 1):
            values = [one.name, one.title, one.video, one.windows, one.answered, one.failed, one.none, one.unparseable,
                      one.repaired, one.found, one.seen_share, "; ".join(one.doubts)]  # fmt: skip
            self._row(sheet, row, values)

    def samples(self, evaluations: Sequence[Evaluation]) -> None:
        metrics = {m.name: m for one in evaluations for m in (one.texts.metrics if one.texts else [])}
        columns = ["model", "video", "sample", "question", "answer", "truth", "right", "confidence",
                   *(m.title for m in metrics.values()), "error"]  # fmt: skip
        sheet = self._sheet("Samples", columns, [24, 28, 14, 40, 50, 50, 8, 11, *(12 for _ in metrics), 40])
        row = 1
        for one in evaluations:
            for sample in one.samples:
                lead = [one.title, sample.video, sample.id or ""]
                if sample.choice:
                    choice = sample.choice
                    values = [*lead, choice.question, choice.answer or "", choice.truth, None, choice.confidence]
                    self._row(sheet, row, [*values, *(None for _ in metrics), choice.reason or ""])
                    self._right(sheet, row, 6, choice.correct)
                elif sample.text:
                    text = sample.text
                    self._row(sheet, row, [*lead, "", text.text, text.truth, None, None])
                    if text.exercise_correct is not None:
                        self._right(sheet, row, 6, text.exercise_correct)
                    for column, metric in enumerate(metrics.values(), 8):
                        self._score(sheet, row, column, metric, text.scores.get(metric.name))
                else:
                    events = sample.events or []
                    counts = {
                        kind: sum(event.kind == kind for event in events) for kind in ("matched", "missed", "false")
                    }
                    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
                    self._row(sheet, row, [*lead, "", told, f"{counts['matched'] + counts['missed']} events"])
                row += 1

    def statistics(self, evaluations: Sequence[Evaluation]) -> None:
        sheet = self._sheet("Statistics", ["model", "figure", "value", "low", "high", "over", "remark"],
                            [28, 30, 10, 10, 10, 14, 60])  # fmt: skip
        row = 1
        for one in evaluations:
            for figure in one.figures:
                over = figure.drawn
                self._row(
                    sheet, row, [one.title, figure.title, figure.value, figure.low, figure.high, over, figure.reason]
                )
                row += 1
            for metric in one.texts.metrics if one.texts else []:
                spread = (
                    f"median {metric.median}, standard deviation {metric.deviation}" if metric.mean else metric.reason
                )
                self._row(
                    sheet, row, [one.title, f"mean of {metric.title}", metric.mean, None, None, "samples", spread]
                )
                row += 1
        if row > 1:
            self._chart(sheet, "Statistics", row, "I2", "Figures", 1, 2)

    def labels(self, evaluations: Sequence[Evaluation]) -> None:
        columns = ["model", "label", "tolerance s", "right", "found", "true", "precision", "recall", "F1"]
        sheet = self._sheet("Labels", columns, [28, 26, 12, 8, 8, 8, 10, 10, 10])
        rows = [
            [one.title, r.label or "all", "overlap" if r.tolerance_s is None else r.tolerance_s, r.matched, r.found,
             r.true, *r.rates()]
            for one in evaluations if one.events for r in one.events.rows
        ]  # fmt: skip
        for number, values in enumerate(rows, 1):
            self._row(sheet, number, values)
        first = [values for values in rows if values[2] == "overlap"]
        if first:
            self._chart(sheet, "Labels", len(first) + 1, "K2", "F1 by label", 1, 8)

    def models(self, book: Book) -> None:
        columns = ["model", "results", "windows", "video s", "device s", "real-time factor", "s/window"]
        sheet = self._sheet("Models", columns, [30, 9, 9, 10, 10, 16, 10])
        for row, t in enumerate(book.agreement.timings, 1):
            values = [t.title, t.results, t.windows, t.video_s, t.device_s, t.real_time_factor, t.seconds_per_window]
            self._row(sheet, row, values)
        self._chart(sheet, "Models", len(book.agreement.timings) + 1, "I2", "Seconds a window", 0, 6)

    def events(self, book: Book) -> None:
        sheet = self._sheet("Timelines", ["video", "row", "from s", "to s", "label", "kind", "what"],
                            [30, 26, 10, 10, 22, 10, 70])  # fmt: skip
        marks = ((one.video, row.title, mark) for one in book.timelines for row in one.rows for mark in row.marks)
        for number, (video, title, mark) in enumerate(marks, 1):
            self._row(sheet, number, [video, title, mark.start_s, mark.end_s, mark.label, mark.kind, mark.says])

    def said(self, book: Book) -> None:
        sheet = self._sheet("Said", ["video", "from s", "to s", "question", "model", "said"],
                            [30, 10, 10, 40, 28, 80])  # fmt: skip
        rows = (
            [one.video, line.start_s, line.end_s, line.asked, model, text]
            for one in book.said
            for line in one.lines
            for model, text in zip(one.models, line.said, strict=True)
        )
        for number, values in enumerate(rows, 1):
            self._row(sheet, number, values)

    def _sheet(self, name: str, columns: Sequence[str], widths: Sequence[int]) -> Any:
        sheet = self._workbook.add_worksheet(name)
        for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
            sheet.set_column(number, number, width)
            sheet.write_string(0, number, column, self._bold)
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet

    def _row(self, sheet: Any, row: int, values: Iterable[object]) -> None:
        for column, value in enumerate(values):
            self._write(sheet, row, column, value)

    def _write(self, sheet: Any, row: int, column: int, value: object) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            sheet.write_number(row, column, value, self._number if isinstance(value, float) else None)
        elif value is not None:
            text = plain(str(value))
            cut = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} … (cut)"
            sheet.write_string(row, column, cut, self._wrap)

    def _score(self, sheet: Any, row: int, column: int, metric: Metric, value: float | None) -> None:
        if value is not None:
            sheet.write_number(row, column, value, self._graded[grade(metric, value)])

    def _right(self, sheet: Any, row: int, column: int, right: bool) -> None:
        sheet.write_string(row, column, "right" if right else "wrong", self._graded["green" if right else "red"])

    def _chart(self, sheet: Any, name: str, rows: int, place: str, title: str, names: int, values: int) -> None:
        chart = self._workbook.add_chart({"type": "bar"})
        last = max(1, rows - 1)
        chart.add_series({"categories": [name, 1, names, last, names], "values": [name, 1, values, last, values]})
        chart.set_title({"name": title, "name_font": {"size": 12, "bold": False}})
        chart.set_legend({"none": True})
        chart.set_x_axis({"min": 0, "major_gridlines": {"visible": True, "line": {"color": "#DDDDDD"}}})
        sheet.insert_chart(place, chart, {"x_scale": 1.2, "y_scale": max(1.0, min(4.0, rows / 12))})
