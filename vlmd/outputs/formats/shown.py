"""The part of a result document that other formats show, checked: a file that somebody edited may hold anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from vlmd import __version__
from vlmd.core.errors import UsageError

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Video(msgspec.Struct, frozen=True):
    name: str
    sha256: str
    duration_s: _Seconds
    pictures: Annotated[int, msgspec.Meta(ge=0)]


class Task(msgspec.Struct, frozen=True):
    name: str


class Model(msgspec.Struct, frozen=True):
    name: str
    revision: str
    precision: str


class Recipe(msgspec.Struct, frozen=True):
    digest: str


class Inputs(msgspec.Struct, frozen=True):
    id: str | None = None
    question: str | None = None


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something said of a stretch of the video, whatever the task. Half-open."""

    start_s: _Seconds
    end_s: _Seconds
    label: str | None = None
    name: str | None = None
    """Of feedback."""
    team: str | None = None
    text: str | None = None
    details: str | None = None
    confidence: float | None = None
    stated_confidence: float | None = None
    agreement: float | None = None
    label_known: bool | None = None
    models: list[str] = []

    @property
    def start_ms(self) -> int:
        return round(self.start_s * 1000)

    @property
    def end_ms(self) -> int:
        """At least a millisecond after the start."""
        return max(round(self.end_s * 1000), self.start_ms + 1)

    @property
    def middle_ms(self) -> int:
        """The one moment that stands for it."""
        return (self.start_ms + self.end_ms) // 2

    @property
    def title(self) -> str:
        """Label of an event, name of feedback; nothing for plain text."""
        return self.label or self.name or ""

    @property
    def words(self) -> str:
        """Details of an event, else the text."""
        return self.details or self.text or ""


class Choice(msgspec.Struct, frozen=True):
    answer: str | None
    text: str | None = None
    confidence: float | None = None
    reason: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    video: Video
    pipeline: str
    task: Task
    model: Model | None = None
    recipe: Recipe | None = None
    inputs: Inputs | None = None
    events: list[Moment] = []
    captions: list[Moment] = []
    texts: list[Moment] = []
    feedback: list[Moment] = []
    choice: Choice | None = None

    @property
    def id(self) -> str:
        """The sample's name in its manifest, else the video's."""
        return (self.inputs.id if self.inputs else None) or self.video.name

    @property
    def place(self) -> str:
        """The video's path below its pipeline's folder."""
        return self.video.name.removeprefix(f"{self.pipeline}/")

    def moments(self) -> Iterator[Moment]:
        """What is said, by time."""
        every = [*self.events, *self.captions, *self.texts, *self.feedback]
        yield from sorted(every, key=lambda moment: (moment.start_ms, moment.end_ms))

    def frames(self, moment: Moment) -> tuple[int, int]:
        """First and last frame of a moment, counted from 1, at the video's average rate."""
        count, length = max(1, self.video.pictures), max(1, round(self.video.duration_s * 1000))
        first = min(-(-moment.start_ms * count // length) + 1, count)
        return first, max(first, min(-(-moment.end_ms * count // length), count))

    def origin(self) -> dict[str, str]:
        """What produced it, for whichever place a format has for that."""
        told = {"schema": self.schema, "vlmd": __version__, "pipeline": self.pipeline}
        if self.model:
            told |= {"model": self.model.name, "revision": self.model.revision, "precision": self.model.precision}
        return told | ({"recipe": self.recipe.digest} if self.recipe else {})


def read(document: dict[str, Any]) -> Result:
    """Raises `UsageError` where something that every result has is missing, or is not what it should be."""
    try:
        return msgspec.convert(document, Result)
    except msgspec.ValidationError as error:
        raise UsageError(f"this is not a whole result: {error}; have it written anew with `vlmd merge`") from error
