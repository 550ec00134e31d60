"""What a result keeps of a window: how its answer reads and facts of its run, never the answer's text and tokens.

Windows are read one after the other, so a long video's answers are never in memory together.
"""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

from vlmd.core.answers import StoredAnswer, StoredWindow
from vlmd.core.tasks.registry import Task
from vlmd.outputs.bodies import Read, span

_SHOWN = 300
"""Characters of an answer that cannot be read."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    read: Read
    unread: str | None
    """The beginning of an answer that cannot be read."""
    frames_missing: int
    degraded: bool
    prompt_tokens: int
    new_tokens: int
    answered_at: int
    run: dict[str, Any]
    """As the result has it."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    start_ms: int
    end_ms: int
    state: str
    code: str | None
    reason: str | None
    answered: Answered | None

    def span(self) -> dict[str, Any]:
        return span(self.index, self.start_ms, self.end_ms)


def seen(window: StoredWindow, task: Task) -> Seen:
    return Seen(
        index=window.index,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        state=window.state,
        code=window.code,
        reason=window.reason,
        answered=None if window.answer is None else _answered(window, window.answer, task),
    )


def _answered(window: StoredWindow, answer: StoredAnswer, task: Task) -> Answered:
    reading = task.read(answer.text, answer.tokens, answer.finish, answer.option_logprobs)
    return Answered(
        read=Read(window.index, window.start_ms, window.end_ms, reading),
        unread=answer.text[:_SHOWN] if reading.outcome == "unparseable" else None,
        frames_missing=answer.frames_asked - len(answer.frame_times_ms),
        degraded=answer.degraded,
        prompt_tokens=answer.prompt_tokens,
        new_tokens=answer.new_tokens,
        answered_at=answer.answered_at,
        run={
            "window": window.index,
            "worker": answer.worker,
            "attempt": answer.attempt,
            "batch": answer.batch,
            "prepare_ms": answer.prepare_ms,
            "generate_ms": answer.generate_ms,
            "memory_planned": answer.memory_planned,
            "memory_used": answer.memory_used,
            "answered": utc(answer.answered_at),
        },
    )


def utc(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601."""
    if ms is None:
        return None
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="milliseconds")
