"""What a model said of a window, and what is kept of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

MAX_TEXT_BYTES = 64 << 10
"""UTF-8 bytes kept of an answer."""


class Finish(StrEnum):
    """How an answer ended; stored, stable."""

    STOP = "stop"  # the model ended it
    LENGTH = "length"  # max_new_tokens cut it
    LOOP = "loop"  # it went round in circles
    SIZE = "size"  # MAX_TEXT_BYTES cut it
    TIME = "time"  # its generation's limit in seconds cut it


class Token(msgspec.Struct, frozen=True, array_like=True):
    """One generated token: where its text begins in the answer, in characters, and its natural-log probability."""

    offset: int
    logprob: float


def bounded(text: str, tokens: list[Token], finish: str) -> tuple[str, list[Token], str]:
    """An answer as it may be stored: valid UTF-8 of bounded size. Offsets stay what they were."""
    raw = text.encode(errors="replace")
    kept = raw[:MAX_TEXT_BYTES].decode(errors="ignore")
    if len(raw) <= MAX_TEXT_BYTES:
        return kept, tokens, finish
    return kept, [token for token in tokens if token.offset < len(kept)], Finish.SIZE


OptionLogprobs = list[float]
"""Of each of a recipe's options, in their order: its natural-log probability as the first token of the answer."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    prompt_tokens: int
    new_tokens: int
    finish: str
    """How it ended: one of `Finish`."""


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on the run and not on the question."""

    prepare_ms: int
    generate_ms: int
    batch: int
    memory_planned: int | None = None
    memory_used: int | None = None
    """Bytes that its batch was planned to take at the most, and has taken; None where that is not known."""


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
    memory_planned: int | None = None
    memory_used: int | None = None
    option_logprobs: OptionLogprobs = []
    """Empty where the recipe has no options."""


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
    option_logprobs: OptionLogprobs = []
    job: int | None
    """The newest job that asks this; None where no job of that video and recipe is left."""
    name: str
    pipeline: str
