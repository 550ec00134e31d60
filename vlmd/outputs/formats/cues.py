"""What is said when, as the lines and times of subtitles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vlmd.core.names import plain
from vlmd.outputs.formats.shown import Moment, Result

NO_TEXT = "[no text]"
"""A cue without any text would be no cue."""


def cues(result: Result, point: str, safe: Callable[[str], str]) -> Iterator[str]:
    """Numbered cues, each with its blank line; `point` stands before the milliseconds, `safe` makes text harmless."""
    for number, moment in enumerate(result.moments(), 1):
        span = f"{_clock(moment.start_ms, point)} --> {_clock(moment.end_ms, point)}"
        yield f"{number}\n{span}\n{without_gaps(safe(plain(_words(moment)))) or NO_TEXT}\n\n"


def without_gaps(text: str) -> str:
    """Lines without blank ones, which would end a cue."""
    return "\n".join(stripped for line in text.split("\n") if (stripped := line.strip()))


def _words(moment: Moment) -> str:
    """An event's label, team and confidence on the first line; then whatever else is said."""
    team = f" ({moment.team})" if moment.team else ""
    sure = f", {moment.confidence:.2f}" if moment.label and moment.confidence is not None else ""
    return f"{moment.title}{team}{sure}\n{moment.words}"


def _clock(ms: int, point: str) -> str:
    """HH:MM:SS and milliseconds; as many hours as it takes."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
