"""What a model said of a window, and what is kept of it."""

from __future__ import annotations

import msgspec


class Token(msgspec.Struct, frozen=True, array_like=True):
    """One generated token: where its text begins in the answer, in characters, and its natural-log probability."""

    offset: int
    logprob: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    new_tokens: int
    finish: str
    """"stop" when the model ended its answer, "length" when max_new_tokens cut it."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on the run and not on the question."""

    prepare_ms: int
    generate_ms: int
    batch: int


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it was checkpointed."""

    text: str
    tokens: list[Token]
    finish: str
    asked: str
    actual: str
    """Digests of the recipe that was asked for and of the one that was followed."""
    degraded: bool
    """The one that was followed is less than the one that was asked for."""
    frame_times_ms: list[int]
    frames_asked: int
    frame_digest: str
    prompt_tokens: int
    new_tokens: int
    worker: str
    attempt: int
    batch: int
    prepare_ms: int
    generate_ms: int
    answered_at: int


class StoredWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A window, and its answer where it has one."""

    index: int
    start_ms: int
    end_ms: int
    state: str
    failures: int
    code: str | None
    reason: str | None
    answer: StoredAnswer | None


class RawAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the model gave it, for whoever wants to parse it, and the span it is for."""

    id: int
    start_ms: int
    end_ms: int
    text: str
    tokens: list[Token]
    finish: str
    answered_at: int
    job: int | None
    """The newest job that asks this; None where no job of that video and recipe is left."""
    name: str
    pipeline: str
