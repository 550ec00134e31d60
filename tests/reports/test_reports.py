"""Reports: both files show the same, whatever a model wrote is text, and nothing that is in doubt looks sound."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.outputs.test_result import GOAL, SOURCE, TASK, window
from vlmd.evaluation.agreement import compare
from vlmd.evaluation.report import Report, from_document
from vlmd.outputs.result import build
from vlmd.reports.book import make
from vlmd.reports.page import page
from vlmd.reports.sheets import write_workbook

EXAMPLE = Path(__file__).parents[1] / "evaluation" / "example.json"
HOSTILE = '{"label": "Goal", "team": "home", "details": "=1+1</title><script>alert(1)</script>\\u0007"}'


def document(*texts: str, pipeline: str = "soccer") -> dict[str, Any]:
    found: dict[str, Any] = build(SOURCE, TASK, [window(at, text) for at, text in enumerate(texts)]).document
    return found | {"pipeline": pipeline}


@pytest.fixture(scope="module")
def report() -> Report:
    return from_document(json.loads(EXAMPLE.read_text()))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]


def test_a_page_needs_nothing_else_and_shows_hostile_text_as_text(report: Report) -> None:
    text = "".join(page(make([("a", document(HOSTILE)), ("b", document("None", pipeline="other"))], report)))
    tags = _Tags()
    tags.feed(text)
    assert "script" not in tags.tags and tags.links == [] and "http" not in text.replace("http-equiv", "")
    assert "&lt;script&gt;" in text and "\x07" not in text
    assert text.count("<svg") >= 2 and "prefers-color-scheme:dark" in text


def test_what_is_in_doubt_stands_first() -> None:
    book = make([("a", document("None", "None", "None"))])
    assert book.says == ["soccer, demo, soccer/a.mkv: every one of 3 windows answered none"]
    text = "".join(page(book))
    assert text.index("every one of 3 windows answered none") < text.index("<h2>")


def test_a_workbook_holds_text_as_text_and_coloured_scores(report: Report, tmp_path: Path) -> None:
    write_workbook(make([("a", document(HOSTILE, GOAL))], report), tmp_path / "r.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "r.xlsx")
    cells = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    assert any("=1+1</title>" in str(cell.value) for cell in cells)
    samples = workbook["Samples"]
    colours = {cell.fill.start_color.rgb for row in samples.iter_rows(min_row=2) for cell in row if cell.value}
    assert len(colours) >= 2, "no score is coloured"
    assert [sheet.title for sheet in workbook] == [
        "Summary", "Results", "Samples", "Statistics", "Labels", "Models", "Timelines"]  # fmt: skip
    assert workbook["Statistics"]._charts and workbook["Labels"].max_row > 1


def test_models_are_compared_on_the_same_video() -> None:
    foul = '{"label": "Foul", "team": "away", "confidence": 0.9, "details": ""}'
    found = compare([document(GOAL, "None", "None", foul), document(GOAL, "None", "None", "None", pipeline="other")])
    assert found.titles == ["soccer, demo", "other, demo"] and found.videos == 1
    assert [(one.label, one.by_all, one.by_one) for one in found.labels] == [("Foul", 0, 1), ("Goal", 1, 0)]
    (pair,) = found.pairs
    assert (pair.both, pair.only_a, pair.only_b, pair.agreement) == (1, 1, 0, 0.5)
    (lone,) = found.disagreements
    assert (lone.label, lone.start_s, lone.seen_by, lone.not_by) == ("Foul", 6.0, ["soccer, demo"], ["other, demo"])


def test_time_of_the_device_is_shared_by_a_batch_and_loading_does_not_count() -> None:
    """Windows take 6 ms in batches of 4."""
    (timing, _) = compare([document("None", "None"), document("None", pipeline="other")]).timings
    assert (timing.windows, timing.device_s) == (2, 0.003)
    assert timing.seconds_per_window == pytest.approx(0.0015) and timing.real_time_factor is not None


def test_answers_to_questions_are_compared_beyond_chance() -> None:
    def answered(sample: int, letter: str | None, pipeline: str) -> dict[str, Any]:
        return document("None", pipeline=pipeline) | {"choice": {"answer": letter}, "inputs": {"id": str(sample)}}

    first = [answered(at, letter, "a") for at, letter in enumerate("AABB")]
    second = [answered(at, letter, "b") for at, letter in enumerate("AABA")]
    (pair,) = compare([*first, *second]).pairs
    assert (pair.both, pair.agreement, pair.kappa) == (3, 0.75, 0.5)
