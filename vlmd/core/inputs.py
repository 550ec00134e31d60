"""What came with a video: a question, choices, moments; from a sidecar file, a manifest's row, or nothing at all."""

from __future__ import annotations

import msgspec


class Inputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sample: what is asked of this video besides what its pipeline says."""

    id: str | None = None
    """The sample's name in its manifest."""
    prompt: str | None = None
    """Takes the place of the pipeline's prompt; a template like it."""
    question: str | None = None
    choices: tuple[str, ...] = ()
    """Of which one answers the question, without their letters."""
    timestamps_ms: tuple[int, ...] = ()
    """Moments that matter, ascending."""
    truth: str | None = None
    """What is right, as the manifest has it: a letter, or a text. Never shown to a model."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a video that a pipeline said something of; half-open, in milliseconds."""

    start_ms: int
    end_ms: int
    label: str = ""
    team: str | None = None
    confidence: float | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What other pipelines see of a result: what it says, in words, and the spans it speaks of."""

    text: str = ""
    spans: list[Span] = []
