"""What an evaluation needs of a result document."""

from __future__ import annotations

from typing import Any

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.names import shown

EVENT_TASKS = ("events", "ensemble")


class Video(msgspec.Struct, frozen=True):
    name: str
    sha256: str
    duration_s: float


class Model(msgspec.Struct, frozen=True):
    name: str = ""
    family: str = ""
    revision: str = ""
    precision: str = ""


class Inputs(msgspec.Struct, frozen=True):
    id: str | None = None
    question: str | None = None
    choices: list[str] = []
    truth: str | None = None


class FoundEvent(msgspec.Struct, frozen=True):
    """An event as a result has it; times also in milliseconds, half-open."""

    start_s: float
    end_s: float
    label: str
    team: str | None = None
    confidence: float | None = None
    stated_confidence: float | None = None
    evidence: list[Any] = []

    @property
    def start_ms(self) -> int:
        return round(self.start_s * 1000)

    @property
    def end_ms(self) -> int:
        return round(self.end_s * 1000)


class Chosen(msgspec.Struct, frozen=True):
    answer: str | None
    index: int | None
    confidence: float | None = None
    reason: str | None = None


class Text(msgspec.Struct, frozen=True):
    text: str
    name: str = ""

    def whole(self) -> str:
        """With the name, as the model was asked to write it."""
        return f"{self.name} - {self.text}" if self.name else self.text


class Result(msgspec.Struct, frozen=True):
    """A result document; keys that are not here are passed over."""

    video: Video
    pipeline: str
    task: dict[str, Any]
    coverage: dict[str, Any]
    answers: dict[str, Any]
    model: Model = Model()
    inputs: Inputs | None = None
    doubts: list[str] = []
    events: list[FoundEvent] | None = None
    choice: Chosen | None = None
    captions: list[Text] | None = None
    texts: list[Text] | None = None
    feedback: list[Text] | None = None
    calibration: str | None = None

    @property
    def kind(self) -> str:
        """events, choice or texts."""
        name = str(self.task.get("name"))
        return "events" if name in EVENT_TASKS else "choice" if name == "choice" else "texts"

    @property
    def labels(self) -> list[str]:
        return [str(label) for label in self.task.get("labels") or []]

    def key(self) -> tuple[str, str, str | None]:
        """What makes it the same sample as another model's."""
        return self.video.sha256, self.video.name, self.inputs.id if self.inputs else None

    def written(self) -> list[Text]:
        """Captions, texts or feedback, in order."""
        return self.captions or self.texts or self.feedback or []

    def counts(self, name: str) -> int:
        return int(self.answers.get(name) or 0)


def read_result(name: str, document: dict[str, Any]) -> Result:
    """Raises `UsageError` where it is not as vlmd writes results."""
    try:
        return msgspec.convert(document, type=Result)
    except msgspec.ValidationError as error:
        raise UsageError(f"{shown(name)} is not a result as vlmd writes them: {shown(str(error))}") from error
