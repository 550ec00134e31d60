"""Prompt templates: `{name}` stands for a variable; any other brace is left alone, so JSON may be shown as it is.

A template is filled in twice: for the job, before its recipe is made, and for each window by the worker. What was
filled in first is data: names in braces that stand in a question stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

EVENTS_PROMPT = (
    "These pictures are one moment of a video, in order, {fps} per second.\n"
    "Which of these events do they show? {labels}.\n"
    "For each event write a JSON object with the keys label, team ({teams}), confidence (0 to 1) and details.\n"
    "If they show none of these events, write only the word None."
)
EVENTS_PROMPT_AT_ANY_RATE = EVENTS_PROMPT.replace(", {fps} per second", "")
CAPTION_PROMPT = (
    "These pictures are one scene of a video, in order. Describe what the scene shows: who or what is there, what "
    "happens, and where."
)
FEEDBACK_PROMPT = (
    '{question}\nAnswer with the name of the exercise, then " - ", then one or two sentences of feedback, on one line.'
)
TEXT_PROMPT = "{question}"
CHOICE_PROMPTS: Mapping[str, str] = {
    "en": "These pictures are a video, in order.\n{question}\n{choices}\n"
    "Answer with the letter of the right choice only ({letters}).",
    "vi": "Các hình ảnh này là một đoạn video, theo thứ tự.\n{question}\n{choices}\n"
    "Chỉ trả lời bằng chữ cái của lựa chọn đúng ({letters}).",
    "zh": "这些图片按顺序组成一段视频。\n{question}\n{choices}\n只回答正确选项的字母（{letters}）。",
}
"""By language."""

WINDOW_VARIABLES = frozenset({"start", "end", "frames", "times"})
"""Known for each window: its times as H:MM:SS, how many pictures it shows, and when each of them is shown."""
RESULT = "result."
"""`{result.NAME}` is what pipeline NAME found in the same video."""

_VARIABLE = re.compile(r"\{([a-z_]+(?:\.[a-z0-9._-]+)?)\}")
_HELD = "\ue000"
"""Stands for an opening brace of what was filled in, until the template is filled in for the last time."""


def variables(template: str) -> set[str]:
    """The names that stand in `template`."""
    return set(_VARIABLE.findall(template))


def unknown_variables(template: str, known: Collection[str]) -> list[str]:
    """Names used in `template` that neither `known` ones nor a window can fill in."""
    return sorted(variables(template) - set(known) - WINDOW_VARIABLES)


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with the given variables replaced and the others left for the windows."""
    return _VARIABLE.sub(lambda match: _held(values[match[1]]) if match[1] in values else match[0], template)


def fill_window(template: str, start_ms: int, end_ms: int, frames: int, times_ms: Sequence[int] = ()) -> str:
    """`template` with the variables of one window replaced; `times_ms` are those of its `frames` pictures."""
    values = {
        "start": clock(start_ms),
        "end": clock(end_ms),
        "frames": str(frames),
        "times": ", ".join(map(clock, times_ms)),
    }
    return fill(template, values).replace(_HELD, "{")


def shown(template: str) -> str:
    """A template as people may read it, also where it is filled in only half."""
    return template.replace(_HELD, "{")


def clock(ms: int) -> str:
    """Milliseconds as people write them: 1:02:03.500, without the fraction where it is zero."""
    seconds, rest = divmod(ms, 1000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:03}" if rest else text


def _held(value: str) -> str:
    """A value whose braces mean nothing."""
    return value if not _VARIABLE.search(value) else value.replace("{", _HELD)
