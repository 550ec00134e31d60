"""A result, typed: what a result file says, with times in seconds from the video's first picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from vlmd.core.errors import UsageError
from vlmd.outputs.result import SCHEMA


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. The span is that of the window that showed it best."""

    start_s: float
    end_s: float
    label: str
    team: str | None = None
    confidence: float | None = None
    """0 to 1: by the probabilities of its tokens, calibrated where the pipeline says so; of an ensemble, the share of
    pipelines that found it."""
    agreement: float | None = None
    """0 to 1: the share of what other windows saw of it that they told of, too."""
    details: str = ""
    models: tuple[str, ...] = ()
    """Of an ensemble: the pipelines that found it."""


class Caption(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a span."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    """0 to 1, the geometric mean of its tokens' probabilities."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """A name and a text, such as an exercise and what to do better."""

    start_s: float
    end_s: float
    name: str | None
    """None where the answer named nothing."""
    text: str
    confidence: float | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question with choices."""

    answer: str | None
    """A letter; None where there is no answer, which has its `reason`."""
    index: int | None
    text: str | None
    confidence: float | None
    reason: str | None
    probabilities: dict[str, float]


class Result(msgspec.Struct, frozen=True):
    """What a pipeline found in a video. `document` is all of it, as the result file has it."""

    document: dict[str, Any]

    @property
    def pipeline(self) -> str:
        return str(self.document["pipeline"])

    @property
    def video(self) -> dict[str, Any]:
        """Name, sha256, duration_s and the like."""
        return dict(self.document["video"])

    @property
    def doubts(self) -> list[str]:
        """What somebody should know before trusting it, in sentences; best empty."""
        return list(self.document.get("doubts", ()))

    @property
    def coverage(self) -> dict[str, Any]:
        """How many windows there were, how many were answered, and how much of the video was seen."""
        return dict(self.document["coverage"])

    @property
    def events(self) -> list[Event]:
        return msgspec.convert(self.document.get("events", []), list[Event])

    @property
    def captions(self) -> list[Caption]:
        """Of a caption or a text pipeline."""
        found = self.document.get("captions", self.document.get("texts", []))
        return msgspec.convert(found, list[Caption])

    @property
    def feedback(self) -> list[Feedback]:
        return msgspec.convert(self.document.get("feedback", []), list[Feedback])

    @property
    def choice(self) -> Choice | None:
        """Of a choice pipeline; None of any other."""
        found = self.document.get("choice")
        return None if found is None else msgspec.convert(found, Choice)


def read(path: str | os.PathLike[str]) -> Result:
    """The result in a file that vlmd wrote. Raises `UsageError` where it is none, or cannot be read."""
    place = Path(path)
    try:
        document = msgspec.json.decode(place.read_bytes())
    except OSError as error:
        raise UsageError(f"{place} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{place} is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{place} is no result of vlmd: it does not begin with the schema {SCHEMA}")
    return Result(document)
