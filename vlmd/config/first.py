"""A first config.toml: what somebody chose, with a word on each, and where to find the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vlmd.config.keys import dotted
from vlmd.config.toml import as_value

SOCCER = "soccer"
SOCCER_LABELS = (
    "Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target", "Shots off target", "Clearance",
    "Ball out of play", "Throw-in", "Foul", "Indirect free-kick", "Direct free-kick", "Corner", "Yellow card",
    "Red card", "Yellow->red card",
)  # fmt: skip
"""The 17 classes of SoccerNet."""

_WITHOUT_TEAMS = """\
These pictures are one moment of a video, in order, {fps} per second.
Which of these events do they show? {labels}.
For each event write a JSON object with the keys label, confidence (0 to 1) and details.
If they show none of these events, write only the word None."""

_WIDTH = 76


@dataclass(frozen=True)
class First:
    """What was chosen."""

    model: str
    hub: str | None
    """Else it lies in `path`."""
    path: str | None
    precision: str
    max_batch: int | None
    """None leaves it as it is by default."""
    pipeline: str
    labels: Sequence[str]
    cpu_threads: int | None
    """None: it is for GPUs."""


def first_config(chosen: First) -> str:
    """The file, with everything that is not a setting in comments."""
    parts = [_HEAD, _PATHS, _devices(chosen), _model(chosen), _pipeline(chosen), _more(chosen.pipeline)]
    return "\n".join(parts)


def model_name(origin: str) -> str:
    """How a model from the hub or a folder is called in config.toml."""
    last = origin.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", last).strip("._-") or "model"


_HEAD = """\
# vlmd's settings, as `vlmd init` wrote them. Every other key has a default; config.toml in vlmd's sources, installed as
# share/vlmd/config.toml, explains them all. `vlmd config show --origin` says what counts.
# Lines that begin with "#" and no blank are settings you may switch on by removing the "#".
"""

_PATHS = """\
[paths]
# Drop videos here: inbox/PIPELINE/video.mkv. Nothing is ever changed or deleted in it.
#inbox = "~/vlmd/inbox"
# Where results are written, in the same folders as the videos.
#results = "~/vlmd/results"
# Where `vlmd models fetch` puts models.
#models = "~/.local/share/vlmd/models"
"""

_GPUS = """\
[devices]
# Every GPU that CUDA_VISIBLE_DEVICES allows gets a worker; or a list: ["cuda:0"].
use = "auto"
"""


def _devices(chosen: First) -> str:
    if chosen.cpu_threads is None:
        return _GPUS
    return f"""\
[devices]
# The CPU: much slower than a GPU. Where there is one, set this to "auto".
use = ["cpu"]
# Processor threads of the worker.
threads = {chosen.cpu_threads}

[limits]
# Seconds a worker at work may show no progress before it is killed. A CPU may take long for one window.
progress_seconds = 1800.0
"""


def _model(chosen: First) -> str:
    key, origin = ("hub", chosen.hub) if chosen.hub else ("path", chosen.path)
    lines = [
        f"[{dotted(('models', chosen.model))}]",
        f"# {'A repository of Hugging Face' if chosen.hub else 'The folder of the checkpoint'}.",
        f"{key} = {as_value(origin)}",
        '# "auto" takes what the device does best; or "nf4", "int8", "bf16", "fp16", "fp32".',
        f"precision = {as_value(chosen.precision)}",
        "# Most windows answered at once. Lower it where the GPU runs out of memory.",
        f"{'#' if chosen.max_batch is None else ''}max_batch = {chosen.max_batch or 8}",
        "# Most tokens one frame may take: more see smaller things. `vlmd plan` lists what the model can do.",
        '#frame_tokens = "auto"',
    ]
    return "\n".join(lines) + "\n"


def _pipeline(chosen: First) -> str:
    lines = [
        f"[{dotted(('pipelines', chosen.pipeline))}]",
        "# Which of the models above answers.",
        f"model = {as_value(chosen.model)}",
        "# The events to look for.",
        *_labels(chosen.labels),
        "# The sides an event may belong to.",
    ]
    if chosen.pipeline == SOCCER:
        lines += ['#teams = ["home", "away"]']
    else:
        question = "# The question; {labels} and {fps} are filled in."
        lines += ["teams = []", question, f"prompt = {as_value(_WITHOUT_TEAMS)}"]
    return "\n".join(lines) + "\n"


def _labels(labels: Sequence[str]) -> list[str]:
    """On one line, or on as many as it takes."""
    whole = f"labels = {as_value(labels)}"
    if len(whole) <= _WIDTH:
        return [whole]
    lines = [""]
    for label in map(as_value, labels):
        if len(lines[-1]) + len(label) > _WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else '    '}{label},"
    return ["labels = [", *lines, "]"]


def _more(pipeline: str) -> str:
    return f"""\
[{dotted(("pipelines", pipeline, "window"))}]
# Seconds of one window, from one window's start to the next, and pictures per second.
#length = 3.0
#step = 2.0
#fps = 5.0

[{dotted(("pipelines", pipeline, "generation"))}]
# Most tokens of one answer. Raise it where answers are cut off.
#max_new_tokens = 256
"""
