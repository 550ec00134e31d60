"""Right answers: NExT-QA's CSV, EgoSchema's answers, RoadBuddy's JSON, and CSV files of id,answer."""

from __future__ import annotations

import csv
from typing import Any

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.evaluation.truth.kinds import ChoiceTruth

_NEXTQA = {"video", "question", "answer", "qid"}


def choices_of_rows(name: str, rows: csv.DictReader[str]) -> list[ChoiceTruth] | None:
    """A CSV with a line of names; None where these are others."""
    columns = set(rows.fieldnames or ())
    if columns >= _NEXTQA:
        return [_nextqa(name, number, row) for number, row in enumerate(rows, 2)]
    if columns >= {"id", "answer"}:
        return [
            ChoiceTruth(name, "id,answer", _answer(name, f"line {number}", row["answer"]), (str(row["id"]),))
            for number, row in enumerate(rows, 2)
        ]
    return None


def choices_of_json(name: str, document: Any) -> list[ChoiceTruth] | None:
    """EgoSchema's object of answers by id, or RoadBuddy's list of questions."""
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
    if isinstance(document, list) and document and all(_is_question(one) for one in document):
        return [_roadbuddy(name, number, one) for number, one in enumerate(document, 1)]
    if isinstance(document, dict) and document and all(_is_answer(one) for one in document.values()):
        return [ChoiceTruth(name, "answers by id", _answer(name, key, one), (key,)) for key, one in document.items()]
    return None


def _nextqa(name: str, number: int, row: dict[str, Any]) -> ChoiceTruth:
    video, qid = str(row["video"]), str(row["qid"])
    return ChoiceTruth(
        name,
        "NExT-QA",
        _answer(name, f"line {number}", row["answer"]),
        (f"{video}_{qid}", f"{video}-{qid}", f"{video}/{qid}", f"{video}:{qid}"),
        video,
        str(row["question"]),
        str(row["type"]) if row.get("type") else None,
    )


def _roadbuddy(name: str, number: int, one: dict[str, Any]) -> ChoiceTruth:
    video = str(one.get("video_path") or one.get("video") or "")
    ids = (str(one["id"]),) if "id" in one else ()
    answer = _answer(name, f"question {number}", one["answer"])
    return ChoiceTruth(name, "RoadBuddy", answer, ids, video, str(one.get("question") or ""))


def _is_question(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("choices"), list) and "answer" in one


def _is_answer(one: Any) -> bool:
    return (isinstance(one, int) and not isinstance(one, bool)) or (isinstance(one, str) and len(one) == 1)


def _answer(name: str, where: str, value: Any) -> int | str:
    """A position from 0 where it is a number, else text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name}, {shown(where)}: there is no answer")
    text = value.strip()
    return int(text) if text.isascii() and text.isdecimal() else text
