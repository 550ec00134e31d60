"""What an undisturbed run says of the same videos."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .daemon import Daemon, real, scripted
from .stage import Model, Stage, set_up

logger = logging.getLogger("chaos")

_RUN_SECTION = '\n  "run": {'
_SECONDS = 3600.0


def make(folder: Path, model: Model, videos: Sequence[Path], workers: int) -> Stage:
    """A run to the end with nobody in its way. Videos that have no result there are left out with a word."""
    stage = set_up(folder, workers, model)
    for video in videos:
        stage.drop(video)
    daemon = daemon_of(stage, model)
    try:
        daemon.start("--once")
        daemon.wait(_SECONDS)
        for job in daemon.jobs():
            if job["state"] != "done":
                logger.warning("%s is left out: %s, %s", job["name"], job["code"], job["reason"])
    finally:
        daemon.close()
    return stage


def daemon_of(stage: Stage, model: Model) -> Daemon:
    return scripted(stage) if model == "scripted" else real(stage)


def differences(name: str, expected: Path, found: Path, exact: bool) -> list[str]:
    """How a result differs from the reference's: byte for byte but for the run, or in its events alone."""
    if not found.exists():
        return [f"{name}: there is no result"]
    if exact:
        return [] if head(expected) == head(found) else [f"{name}: the result is another than the reference's"]
    return [] if events(expected) == events(found) else [f"{name}: the events are others than the reference's"]


def head(path: Path) -> str:
    """The result's text but for its last section, which tells of the run."""
    before, section, _ = path.read_text().rpartition(_RUN_SECTION)
    assert section, f"{path} has no run section"
    return before


def events(path: Path) -> list[tuple[Any, ...]]:
    return [
        (event["label"], event["team"], event["start_s"], event["end_s"])
        for event in json.loads(path.read_text())["events"]
    ]
