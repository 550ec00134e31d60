"""The names of the formats that results can be written in, and whose results each can show."""

from __future__ import annotations

TIMED = frozenset({"events", "ensemble", "caption", "text", "feedback"})
"""Tasks whose results say when."""
EVERY = TIMED | {"choice"}

TASKS_OF: dict[str, frozenset[str]] = {
    "json": EVERY,
    "jsonl": EVERY,
    "csv": EVERY,
    "srt": TIMED,
    "vtt": TIMED,
    "soccernet": frozenset({"events", "ensemble"}),
    "submission": frozenset({"choice"}),
    "final_predictions": TIMED,
    "labelstudio": EVERY,
    "fiftyone": TIMED,
}


def showing(task: str) -> list[str]:
    """The formats that can show what a task answers."""
    return [name for name, tasks in TASKS_OF.items() if task in tasks]
