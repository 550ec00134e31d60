"""Right texts: lists of conversations, as the physiotherapy test file has them, or of messages with roles.

Of each, the first question and the first answer count.
"""

from __future__ import annotations

from typing import Any

from vlmd.core.errors import UsageError
from vlmd.evaluation.truth.kinds import TextTruth

_ASKS, _SAYS = ("human", "user"), ("gpt", "assistant")


def conversations(name: str, document: Any) -> list[TextTruth] | None:
    """None for anything else."""
    if not isinstance(document, list) or not document or not all(_turns(one) is not None for one in document):
        return None
    return [_truth(name, number, one) for number, one in enumerate(document, 1)]


def _turns(one: Any) -> list[tuple[str, str]] | None:
    """Who says what."""
    if not isinstance(one, dict):
        return None
    turns = one.get("conversations") or one.get("messages")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return None
    return [
        (str(turn.get("from") or turn.get("role")), str(turn.get("value") or turn.get("content") or ""))
        for turn in turns
    ]


def _truth(name: str, number: int, one: dict[str, Any]) -> TextTruth:
    turns = _turns(one) or []
    said = next((text for who, text in turns if who in _SAYS and text), None)
    if said is None:
        raise UsageError(f"{name}, sample {number}: nobody answers (there is no turn from gpt or assistant)")
    asked = next((text for who, text in turns if who in _ASKS), "")
    videos = one.get("videos")
    video = one.get("video") or (videos[0] if isinstance(videos, list) and videos else "")
    ids = (str(one["id"]),) if "id" in one else ()
    return TextTruth(name, "conversations", said, ids, str(video), asked.replace("<video>", "").strip())
