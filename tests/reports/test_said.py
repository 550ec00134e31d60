"""What models said stands side by side: by window, and by question."""

from __future__ import annotations

from typing import Any

import openpyxl

from vlmd.reports.book import make
from vlmd.reports.page import page
from vlmd.reports.said import Line, Said, side_by_side
from vlmd.reports.sheets import write_workbook


def document(pipeline: str, **body: Any) -> dict[str, Any]:
    return {
        "video": {"name": f"{pipeline}/film.mp4", "sha256": "f" * 64, "duration_s": 9.0},
        "pipeline": pipeline,
        "model": {"name": "m"},
        "recipe": {"digest": "d"},
        "coverage": {"windows": 2, "answered": 2, "failed": 0, "share_of_video": 1.0},
        "answers": {"none": 0, "unparseable": 0, "repaired": 0},
        "run": {"windows": []},
        **body,
    }


def caption(start_s: float, text: str, **more: str) -> dict[str, Any]:
    return {"start_s": start_s, "end_s": start_s + 2.0, "text": text, **more}


def choice(pipeline: str, answer: str | None) -> dict[str, Any]:
    inputs = {"id": "t1", "question": "Which?", "choices": ["red", "green"]}
    found = {"answer": answer, "text": "red" if answer else None, "confidence": 0.8 if answer else None}
    return document(pipeline, inputs=inputs, choice={**found, "reason": None if answer else "it is a tie"})


def test_captions_of_one_video_and_answers_to_one_question() -> None:
    found = side_by_side([
        document("a", captions=[caption(0.0, "A ball."), caption(2.0, "A net.")]),
        document("b", feedback=[caption(2.0, "slower", name="Cat cow")]),
        choice("c", "A"),
        choice("d", None),
    ])  # fmt: skip
    assert found == [
        Said(video="a/film.mp4", models=["a, m", "b, m"], lines=[
            Line(start_s=0.0, end_s=2.0, asked="", said=["A ball.", ""]),
            Line(start_s=2.0, end_s=4.0, asked="", said=["A net.", "Cat cow - slower"]),
        ]),
        Said(video="", models=["c, m", "d, m"], lines=[
            Line(start_s=None, end_s=None, asked="t1: Which?", said=["A. red (0.80)", "no answer: it is a tie"]),
        ]),
    ]  # fmt: skip


def test_both_files_show_it_as_text(tmp_path: Any) -> None:
    book = make([("a", document("a", captions=[caption(0.0, "<b>=1+1")])), ("c", choice("c", "A"))])
    text = "".join(page(book))
    assert "&lt;b&gt;=1+1" in text and "t1: Which?" in text and "A. red (0.80)" in text
    write_workbook(book, tmp_path / "r.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "r.xlsx")["Said"].iter_rows(min_row=2, values_only=True))
    assert [[value or None for value in row[3:]] for row in rows] == [
        [None, "a, m", "<b>=1+1"], ["t1: Which?", "c, m", "A. red (0.80)"]]  # fmt: skip
