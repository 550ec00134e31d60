"""What models said of the same windows, and answered to the same questions, side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from vlmd.evaluation.agreement import title_of
from vlmd.evaluation.results import Key, sample_key

Document = dict[str, Any]

TEXTS = ("captions", "texts", "feedback")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A window or a question, and what each model said, in the order of the models; "" where it said nothing."""

    start_s: float | None
    """None for a question, which is of the whole video."""
    end_s: float | None
    asked: str
    """The question; "" of a window."""
    said: list[str]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    video: str
    """Empty where the lines are questions about several videos."""
    models: list[str]
    lines: list[Line]


def side_by_side(documents: Sequence[Document]) -> list[Said]:
    """One for every video of which something was said, and one for all questions together."""
    videos: dict[Key, list[Document]] = {}
    for document in documents:
        if any(document.get(key) for key in TEXTS):
            videos.setdefault(key_of(document), []).append(document)
    questions = [document for document in documents if "choice" in document]
    tables = [_of_video(group) for group in videos.values()]
    return [*tables, *([_of_questions(questions)] if questions else [])]


def key_of(document: Document) -> Key:
    video = document["video"]
    return sample_key(video["sha256"], video["name"], (document.get("inputs") or {}).get("id"))


def _of_video(group: Sequence[Document]) -> Said:
    models = _models(group)
    windows: dict[tuple[float, float], dict[str, str]] = {}
    for document in group:
        for start_s, end_s, text in _entries(document):
            windows.setdefault((start_s, end_s), {})[title_of(document)] = text
    lines = [
        Line(start_s=start_s, end_s=end_s, asked="", said=[said.get(model, "") for model in models])
        for (start_s, end_s), said in sorted(windows.items())
    ]
    return Said(video=group[0]["video"]["name"], models=models, lines=lines)


def _entries(document: Document) -> Iterator[tuple[float, float, str]]:
    for key in TEXTS:
        for entry in document.get(key, ()):
            name = f"{entry['name']} - " if entry.get("name") else ""
            yield entry["start_s"], entry["end_s"], f"{name}{entry['text']}"


def _of_questions(documents: Sequence[Document]) -> Said:
    models = _models(documents)
    questions: dict[Key, tuple[str, dict[str, str]]] = {}
    for document in documents:
        inputs = document.get("inputs") or {}
        asked = ": ".join(filter(None, (inputs.get("id") or document["video"]["name"], inputs.get("question"))))
        questions.setdefault(key_of(document), (asked, {}))[1][title_of(document)] = _answer(document["choice"])
    lines = [
        Line(start_s=None, end_s=None, asked=asked, said=[said.get(model, "") for model in models])
        for asked, said in questions.values()
    ]
    return Said(video="", models=models, lines=lines)


def _answer(choice: Document) -> str:
    if choice["answer"] is None:
        return f"no answer: {choice['reason']}"
    sure = "" if choice["confidence"] is None else f" ({choice['confidence']:.2f})"
    return f"{choice['answer']}. {choice['text']}{sure}"


def _models(documents: Iterable[Document]) -> list[str]:
    return list(dict.fromkeys(map(title_of, documents)))
