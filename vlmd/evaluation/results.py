"""What an evaluation needs of a result document."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.names import shown

T = TypeVar("T")
EVENT_TASKS = ("events", "ensemble")


Key = tuple[str, str, str | None]
"""Of a sample: its video's sha256, what its file is called, and the sample's id."""


def sample_key(sha256: str, name: str, sample: str | None) -> Key:
    """Folders do not count: the same video may have been dropped into those of several pipelines."""
    return sha256, name.rpartition("/")[2], sample


class Video(msgspec.Struct, frozen=True):
    name: str
    sha256: str
    duration_s: float


class Model(msgspec.Struct, frozen=True):
    """All None of results that several models made together, or that were imported."""

    name: str | None = None
    family: str | None = None
    revision: str | None = None
    precision: str | None = None


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

    def key(self) -> Key:
        """What makes it the same sample as another model's."""
        return sample_key(self.video.sha256, self.video.name, self.inputs.id if self.inputs else None)

    def written(self) -> list[Text]:
        """Captions, texts or feedback, in order."""
        return self.captions or self.texts or self.feedback or []

    def counts(self, name: str) -> int:
        return int(self.answers.get(name) or 0)


class _Window(msgspec.Struct):
    generate_ms: float
    batch: int


class _Run(msgspec.Struct):
    windows: list[_Window]


class _Recipe(msgspec.Struct):
    digest: str


class _Coverage(msgspec.Struct):
    windows: int
    answered: int
    failed: int
    share_of_video: float | None


class _Answers(msgspec.Struct):
    none: int
    unparseable: int
    repaired: int


class _Whole(Result, frozen=True, kw_only=True):
    coverage: _Coverage  # type: ignore[assignment]
    answers: _Answers  # type: ignore[assignment]
    recipe: _Recipe
    run: _Run


def check_whole(name: str, document: dict[str, Any]) -> None:
    """Raises `UsageError` where it has not what comparisons of models, and reports, take from it."""
    _read(name, document, _Whole)


def read_result(name: str, document: dict[str, Any]) -> Result:
    """Raises `UsageError` where it is not as vlmd writes results."""
    return _read(name, document, Result)


def _read(name: str, document: dict[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(document, type=shape)
    except msgspec.ValidationError as error:
        raise UsageError(f"{shown(name)} is not a result as vlmd writes them: {shown(str(error))}") from error
