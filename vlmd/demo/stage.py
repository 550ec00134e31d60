"""The demo's stage: a scratch folder with a config file, and the videos that are dropped there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmd.demo.game import LABELS, TEAMS, TrueEvent
from vlmd.evaluation.truth.events import as_truth

PIPELINE = "match"
FRAME_EDGE = 160
"""Longest edge of the pictures the toy model was trained on."""

_CONFIG = """\
# Written by `vlmd demo`. The toy model knows only the synthetic game; real videos need a real model.

[paths]
inbox = "inbox"
results = "results"
state = "state"

[devices]
use = [{devices}]

[inbox]
settle_seconds = 0.5

[models.demo]
path = "vlmd-demo"
frame_edge = {edge}

[pipelines.{pipeline}]
model = "demo"
labels = [{labels}]
teams = [{teams}]
"""


@dataclass(frozen=True)
class Stage:
    """Where everything of one demo lies."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    def drop(self, video: Path) -> None:
        """Move a finished video into the inbox, in one step."""
        inbox = self.folder / "inbox" / PIPELINE
        inbox.mkdir(parents=True, exist_ok=True)
        video.rename(inbox / video.name)

    def write_truth(self, name: str, events: Sequence[TrueEvent]) -> None:
        """What truly happens in a film, for `vlmd evaluate --truth`."""
        folder = self.folder / "truth"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(as_truth(name, events), indent=1) + "\n")

    def result(self, name: str) -> Path:
        return self.folder / "results" / PIPELINE / f"{name}.json"


def set_up(folder: Path, workers: int) -> Stage:
    """A fresh stage below `folder`, for so many workers on the CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(folder)
    text = _CONFIG.format(
        devices=", ".join(['"cpu"'] * workers),
        edge=FRAME_EDGE,
        pipeline=PIPELINE,
        labels=_quoted(LABELS),
        teams=_quoted(TEAMS),
    )
    stage.config.write_text(text)
    return stage


def render(
    stage: Stage, name: str, seed: int, seconds: float, drawn: Callable[[float], None]
) -> tuple[Path, list[TrueEvent]]:
    """Draw the match of `seed`; returns the film, not dropped yet, and what truly happens in it.

    `drawn` is told how many seconds of it there are.
    """
    from vlmd.demo.render import render_match

    path = stage.folder / name
    truth = render_match(path, seed, seconds, drawn=drawn)
    stage.write_truth(name, truth)
    return path, truth


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)
