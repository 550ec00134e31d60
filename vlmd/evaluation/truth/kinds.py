"""The three kinds of truth: events of a video, the answer to a question, a text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias


@dataclass(frozen=True)
class TrueEvent:
    """Half-open in milliseconds; a moment has no length."""

    label: str
    team: str | None
    start_ms: int
    end_ms: int
    shown: bool | None = None
    """Whether it can be seen; None where the truth does not say."""


@dataclass(frozen=True)
class EventTruth:
    """All that happens in one video."""

    file: str
    kind: str
    video: str
    events: tuple[TrueEvent, ...]
    sha256: str | None = None
    half: int | None = None
    """Of a SoccerNet game, whose folders `video` is."""


@dataclass(frozen=True)
class ChoiceTruth:
    """The right answer: a position among the choices, or a letter, or the choice itself."""

    file: str
    kind: str
    answer: int | str
    ids: tuple[str, ...] = ()
    video: str = ""
    question: str = ""
    type: str | None = None


@dataclass(frozen=True)
class TextTruth:
    """The right text."""

    file: str
    kind: str
    text: str
    ids: tuple[str, ...] = ()
    video: str = ""
    question: str = ""


Truth: TypeAlias = EventTruth | ChoiceTruth | TextTruth


def stem(video: str) -> str:
    """A video's name without folders and suffix, by which truth and result are brought together."""
    path = PurePosixPath(video.replace("\\", "/"))
    return path.stem if len(path.suffix) <= 6 and not path.suffix[1:].isdecimal() else path.name
