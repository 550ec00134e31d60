"""Prompt templates: `{name}` stands for a variable; any other brace is left alone, so JSON may be shown as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

EVENTS_PROMPT = (
    "These pictures are one moment of a video, in order, {fps} per second.\n"
    "Which of these events do they show? {labels}.\n"
    "For each event write a JSON object with the keys label, team ({teams}), confidence (0 to 1) and details.\n"
    "If they show none of these events, write only the word None."
)

JOB_VARIABLES = frozenset({"labels", "teams", "fps"})
"""Known when a job is planned; filled in before the recipe is made."""
WINDOW_VARIABLES = frozenset({"start", "end", "frames"})
"""Known for each window: its times as H:MM:SS, and how many pictures it shows."""

_VARIABLE = re.compile(r"\{([a-z_]+)\}")


def unknown_variables(template: str) -> list[str]:
    """Names used in `template` that no job or window can fill in."""
    return sorted(set(_VARIABLE.findall(template)) - JOB_VARIABLES - WINDOW_VARIABLES)


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with the given variables replaced and the others left as they are."""
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), template)


def fill_window(template: str, start_ms: int, end_ms: int, frames: int) -> str:
    """`template` with the variables of one window replaced."""
    return fill(template, {"start": clock(start_ms), "end": clock(end_ms), "frames": str(frames)})


def clock(ms: int) -> str:
    """Milliseconds as people write them: 1:02:03.500, without the fraction where it is zero."""
    seconds, rest = divmod(ms, 1000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:03}" if rest else text
