"""What a configuration says that is legal and surely not meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from vlmd.config.pipeline import PipelineSettings
from vlmd.config.settings import Settings
from vlmd.core.tasks import prompts


def doubts(settings: Settings) -> list[str]:
    """One sentence each, beginning with the key. Looks at the folders, and at nothing else outside the settings."""
    found = [*_models(settings), *_alike(settings), *_inbox(settings), *_folders(settings)]
    for name, pipeline in settings.pipelines.items():
        found += (f"pipelines.{name}.{doubt}" for doubt in _pipeline(pipeline))
        found += (f"pipelines.{name}: {doubt}" for doubt in _needs(settings, pipeline))
    return found


def _models(settings: Settings) -> Iterator[str]:
    used = settings.models_in_use()
    for name in settings.models:
        if name not in used:
            yield f"models.{name}: no pipeline uses it"


def _alike(settings: Settings) -> Iterator[str]:
    for (first, one), (second, other) in combinations(settings.pipelines.items(), 2):
        if one == other:
            yield f"pipelines.{second}: asks exactly what pipelines.{first} asks; one of them is enough"


def _inbox(settings: Settings) -> Iterator[str]:
    if "*" in settings.inbox.ignore:
        yield 'inbox.ignore: "*" is among the patterns, so no file is ever taken'


def _pipeline(pipeline: PipelineSettings) -> Iterator[str]:
    yield from _unused(pipeline)
    window = pipeline.window
    if window.step > window.length:
        unseen = window.step - window.length
        yield (
            f"window.step: windows of {window.length:g} s begin every {window.step:g} s, "
            f"so {unseen:g} s between two of them are never looked at"
        )
    elif pipeline.gap_seconds < window.step < window.length:
        yield (
            f"gap_seconds: {pipeline.gap_seconds:g} is less than window.step ({window.step:g}), "
            "so an event that two windows show is told twice"
        )


def _needs(settings: Settings, pipeline: PipelineSettings) -> Iterator[str]:
    for other in pipeline.needs:
        if settings.pipelines[other].asks_each_video and not pipeline.asks_each_video:
            yield f"it needs {other}, which asks of each video what it brings; a video that is dropped alone fails"


def _unused(pipeline: PipelineSettings) -> Iterator[str]:
    """What is set, and no prompt, reading or merge ever looks at."""
    filled = prompts.variables(pipeline.template)
    if pipeline.question is not None and "question" not in filled:
        yield "question: the prompt has no place for it ({question}), so it is never asked"
    for name in pipeline.context:
        if f"{prompts.RESULT}{name}" not in filled:
            place = f"{{{prompts.RESULT}{name}}}"
            yield f"context: the prompt has no place for what {name} finds ({place}), so it is not told"
    if pipeline.labels and pipeline.task != "events" and "labels" not in filled:
        yield f'labels: a pipeline of task = "{pipeline.task}" looks for none, and its prompt does not name them'
    if pipeline.calibration is not None and pipeline.task != "events":
        yield f'calibration: a pipeline of task = "{pipeline.task}" finds no events, and only these are calibrated'
    if pipeline.task == "choice" and pipeline.prompt is not None and "choices" not in filled:
        yield "prompt: it has no place for the choices ({choices}), so nothing says what the letters stand for"


def _folders(settings: Settings) -> Iterator[str]:
    paths = settings.paths
    for key, folder in (("inbox", paths.inbox), ("results", paths.results), ("state", paths.state)):
        there = _nearest_there(folder)
        needed = os.R_OK | os.X_OK if key == "inbox" and there == folder else os.W_OK | os.X_OK
        verb = "read" if needed & os.R_OK else "write"
        if not there.is_dir():
            yield f"paths.{key}: {there} is no folder, so {folder} cannot be made"
        elif not os.access(there, needed):
            yield f"paths.{key}: you may not {verb} in {there}; the daemon's user must"


def _nearest_there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if os.path.lexists(path)), Path("/"))
