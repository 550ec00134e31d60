"""The shapes of samples: each is recognised by its keys, and turned into what a video brings along.

vlmd's own      video, id, prompt, question, choices, timestamps (seconds), truth; in a CSV: red|green, 1.5 4.0
conversations   {"video", "conversations": [{"from": "human" | "gpt", "value"}]}   physiotherapy test files, LLaVA
messages        {"videos": [...], "messages": [{"role": "user" | "assistant", "content"}]}   chat data
questions       {"id", "question", "choices": ["A. ...", ...], "video_path", "support_frames"}   RoadBuddy
NExT-QA         CSV with video, question, qid, a0 to a4
EgoSchema       {"q_uid", "question"?, "option 0" to "option 4"}; the video is called by the id
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from vlmd.core.inputs import Inputs
from vlmd.core.tasks.choice import LETTERS, MOST_CHOICES
from vlmd.core.tasks.words import clean_text
from vlmd.core.video import seconds_to_ms

MOST_TEXT = 8000
"""Characters of a question or a prompt."""
MOST_MOMENTS = 1000
_LAST_SECOND = 10 * 366 * 86_400
_LETTER = re.compile(r"\s*\(?([A-Z])[.):]\s+")
_MEDIA = re.compile(r"<(?:video|image)>\s*")

Row = Mapping[str, Any]


class BadSample(Exception):
    """A row that is no sample; the message says why and reads on after the row's number."""


class Sample(msgspec.Struct, frozen=True):
    """A video, as its manifest calls it, and what is asked of it."""

    video: str
    """Empty in a sidecar, which lies beside its video."""
    inputs: Inputs


def sample_of(row: Row) -> Sample:
    """Raises `BadSample`."""
    for keys, read in _SHAPES:
        if keys <= row.keys():
            return read(row)
    raise BadSample(f"it is of no known shape; it has {', '.join(sorted(map(str, row))[:8]) or 'nothing'}")


def called(row: object) -> tuple[str | None, str]:
    """How a row that is no sample calls itself and its video, as far as it does."""
    if not isinstance(row, dict):
        return None, ""
    video = next((one for one in map(row.get, ("video", "video_path", "q_uid")) if isinstance(one, str)), "")
    name = row.get("id", row.get("q_uid"))
    if name is None and "qid" in row:
        name = f"{video}_{row['qid']}"
    known = isinstance(name, str | int) and not isinstance(name, bool) and len(str(name)) <= MOST_TEXT
    return (clean_text(str(name))[0] or None) if known else None, video[:MOST_TEXT]


def _own(row: Row) -> Sample:
    inputs = Inputs(
        id=_text(row, "id"),
        prompt=_text(row, "prompt"),
        question=_text(row, "question"),
        choices=_choices(_listed(row.get("choices"), "|")),
        timestamps_ms=_moments(_seconds(_listed(row.get("timestamps"), None))),
        truth=_text(row, "truth"),
    )
    return Sample(_text(row, "video") or "", inputs)


def _conversation(row: Row) -> Sample:
    said = _turns(row["conversations"], "from", "value")
    inputs = Inputs(id=_text(row, "id"), question=said.get("human"), truth=said.get("gpt"))
    return Sample(_text(row, "video") or "", inputs)


def _messages(row: Row) -> Sample:
    said = _turns(row["messages"], "role", "content")
    videos = row["videos"]
    if not isinstance(videos, list) or len(videos) != 1 or not isinstance(videos[0], str):
        raise BadSample("it speaks of no video, or of several")
    return Sample(videos[0], Inputs(id=_text(row, "id"), question=said.get("user"), truth=said.get("assistant")))


def _road(row: Row) -> Sample:
    inputs = Inputs(
        id=_text(row, "id"),
        question=_text(row, "question"),
        choices=_choices(row["choices"]),
        timestamps_ms=_moments(row.get("support_frames") or ()),
        truth=_text(row, "answer"),
    )
    return Sample(_text(row, "video_path") or _text(row, "video") or "", inputs)


def _next_qa(row: Row) -> Sample:
    video, number = _text(row, "video") or "", _text(row, "qid")
    choices = _choices([row[f"a{at}"] for at in range(5) if row.get(f"a{at}") not in (None, "")])
    return Sample(
        video,
        Inputs(
            id=f"{video}_{number}",
            question=_text(row, "question"),
            choices=choices,
            truth=_letter_at(row.get("answer"), len(choices)),
        ),
    )


def _ego_schema(row: Row) -> Sample:
    name = _text(row, "q_uid") or ""
    choices = _choices([row[f"option {at}"] for at in range(MOST_CHOICES) if f"option {at}" in row])
    return Sample(name, Inputs(id=name, question=_text(row, "question"), choices=choices))


_SHAPES: list[tuple[set[str], Callable[[Row], Sample]]] = [
    ({"conversations"}, _conversation),
    ({"messages", "videos"}, _messages),
    ({"q_uid", "option 0"}, _ego_schema),
    ({"video", "question", "qid", "a0", "a1"}, _next_qa),
    ({"question", "choices", "video_path"}, _road),
    ({"question", "choices", "support_frames"}, _road),
    ({"video"}, _own),
    ({"question"}, _own),
    ({"prompt"}, _own),
    ({"timestamps"}, _own),
]


def _turns(turns: object, who: str, what: str) -> dict[str, str]:
    """The first words of each speaker, without marks for media."""
    said: dict[str, str] = {}
    if not isinstance(turns, list):
        raise BadSample("its conversation is no list")
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get(what), str) or not isinstance(turn.get(who), str):
            raise BadSample(f"a turn of its conversation has no {who} and {what}")
        said.setdefault(turn[who], _bounded(_MEDIA.sub("", turn[what]), what))
    return said


def _text(row: Row, key: str) -> str | None:
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return str(value)
    if not isinstance(value, str):
        raise BadSample(f"its {key} is no text")
    return _bounded(value, key)


def _bounded(text: str, key: str) -> str:
    cleaned = "\n".join(clean_text(line)[0] for line in text[: 4 * MOST_TEXT].splitlines()).strip()
    if len(cleaned) > MOST_TEXT or len(text) > 4 * MOST_TEXT:
        raise BadSample(f"its {key} is longer than {MOST_TEXT} characters")
    return cleaned


def _listed(value: object, mark: str | None) -> object:
    """A list as it is; of a CSV's cell a tuple, its parts between marks or blanks; nothing where there is none."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(mark) if part.strip())
    return () if value is None else value


def _seconds(value: object) -> object:
    """The numbers that a CSV's cell holds; anything else is as it is."""
    try:
        return tuple(map(float, value)) if isinstance(value, tuple) else value
    except ValueError:
        return value


def _choices(value: object) -> tuple[str, ...]:
    """The choices without the letters that stand before them, where these are A, B, C … in order."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, str | int | float) for one in value):
        raise BadSample("its choices are no list of texts")
    texts = [_bounded(str(one), "choice") for one in value]
    if len(texts) == 1 or len(texts) > MOST_CHOICES or "" in texts:  # real data sets do hold two that are alike
        raise BadSample(f"its choices are not 2 to {MOST_CHOICES} texts")
    marks = [_LETTER.match(text) for text in texts]
    if all(mark and mark[1] == letter for mark, letter in zip(marks, LETTERS, strict=False)):
        texts = [text[mark.end() :].strip() for text, mark in zip(texts, marks, strict=True) if mark]
    return tuple(texts)


def _moments(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_MOMENTS:
        raise BadSample(f"its moments are no list of at most {MOST_MOMENTS} numbers")
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        raise BadSample("its moments are no numbers of seconds")
    if not all(0 <= one <= _LAST_SECOND for one in value):  # false for NaN, too
        raise BadSample("its moments are no seconds of a video")
    return tuple(sorted(seconds_to_ms(float(one)) for one in value))


def _letter_at(value: object, count: int) -> str | None:
    """The letter of an answer that is given as its number, from 0."""
    text = str(value) if value is not None else ""
    return LETTERS[int(text)] if text.isdecimal() and len(text) < 3 and int(text) < count else None
