"""What the configured models take of a GPU: as files tell at first, as their figures tell once those are worked out.

That takes a child some seconds, so nobody waits for it, and it is remembered beside the database. Without a GPU
nobody wants to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmd.catalog.figures import CACHE, answers, asked, command, environment, known_figures, patience, remember
from vlmd.config import Live, PipelineSettings, Settings
from vlmd.core import plans
from vlmd.core.figures import Figures
from vlmd.core.memory import needed_bytes
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.plans import Shape

logger = logging.getLogger("vlmd.figures")


_WORDS_BROUGHT = 400
"""Words that a video's own question, or another pipeline's result, adds to a prompt at the most, in most cases."""


def _words(pipeline: PipelineSettings) -> int:
    """About how long a pipeline's prompt is, in words."""
    brought = (pipeline.asks_each_video + len(pipeline.context)) * _WORDS_BROUGHT
    return plans.words_of(" ".join([pipeline.template, *pipeline.labels, *pipeline.teams])) + brought


def shape(settings: Settings, name: str) -> Shape:
    """What the pipelines of a model ask at the most; what is usual where none uses it."""
    model = settings.models.get(name)
    asked = [pipeline for pipeline in settings.pipelines.values() if pipeline.model == name]
    tokens = None if model is None or model.frame_tokens == "auto" else model.frame_tokens
    if not asked:
        return Shape(frame_tokens=tokens)
    return Shape(
        frames=max(pipeline.window.most_frames for pipeline in asked),
        words=max(_words(pipeline) for pipeline in asked),
        new_tokens=max(pipeline.generation.max_new_tokens for pipeline in asked),
        beams=max(pipeline.generation.beams for pipeline in asked),
        frame_tokens=tokens,
    )


class Book:
    """The figures of every model the daemon has. `run` works out those that are missing, also after a reload."""

    def __init__(self, live: Live, models: Mapping[str, ModelSpec], wanted: bool) -> None:
        """`wanted`: there is a GPU."""
        self._live = live
        self._models = models
        self._wanted = wanted
        self._cache = live.now.paths.state / CACHE
        self._figures: dict[str, Figures | None] = {}
        """By folder; None where there are none, or not yet."""
        self._asked: set[str] = set()
        self._woken = asyncio.Event()

    def of(self, model: ModelSpec) -> Figures | None:
        """None where they are not known (yet)."""
        if model.path not in self._figures:
            self._figures[model.path] = known_figures(Path(model.path), self._cache)
        return self._figures[model.path]

    def shape(self, model: ModelSpec) -> Shape:
        """What its windows ask."""
        return shape(self._live.now, model.name)

    def needs(self, model: ModelSpec, total: int | None) -> int:
        """The memory that has to be free before loading is worth trying, on a GPU that has `total` in all."""
        figures = self.of(model)
        if figures is None:
            return needed_bytes(model.weight_bytes)
        return plans.needs(figures, model.precision, self.shape(model), total)

    def wake(self) -> None:
        """There may be models that were not there before."""
        self._woken.set()

    async def run(self) -> None:
        while self._wanted:
            if missing := self._missing():
                await self._work_out(missing)
            await self._woken.wait()
            self._woken.clear()

    def _missing(self) -> list[Path]:
        """Folders of which nothing is known, and nobody was asked."""
        unknown = [model.path for model in self._models.values() if self.of(model) is None]
        return [Path(path) for path in dict.fromkeys(unknown) if path not in self._asked]

    async def _work_out(self, folders: Sequence[Path]) -> None:
        self._asked |= set(map(str, folders))
        for folder, answer in (await _ask(folders)).items():
            if isinstance(answer, Figures):
                self._figures[str(folder)] = answer
                await asyncio.to_thread(remember, self._cache, {folder: answer})
            else:
                logger.warning("what it takes is known from its files alone: %s", answer)


async def _ask(folders: Sequence[Path]) -> dict[Path, Figures | str]:
    """As `vlmd.catalog.figures.worked_out`, and the child ends when the daemon stops."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command(), stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), start_new_session=True
        )
    except OSError as error:
        return answers(folders, b"", str(error).encode())
    try:
        said, words = await asyncio.wait_for(process.communicate(asked(folders)), patience(folders))
    except TimeoutError:
        said, words = b"", b"it took too long"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return answers(folders, said, words)
