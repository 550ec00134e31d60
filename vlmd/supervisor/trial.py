"""A few windows of one video through a worker of its own: no store, no queue, nothing left behind."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from vlmd.config import PipelineSettings, Settings
from vlmd.core.errors import Code, UsageError, WorkerError
from vlmd.core.inputs import Inputs, Outcome
from vlmd.core.messages.base import Gone
from vlmd.core.messages.worker import (
    Beat,
    CannotStart,
    FromWorker,
    LeaseEnded,
    LoadModel,
    Ready,
    RunWindows,
    WindowAnswered,
    WindowFailed,
)
from vlmd.core.numbers import counted
from vlmd.core.video import FileRef, VideoIndex
from vlmd.core.windows import ScenesPlan, Window, plan_windows
from vlmd.inbox.questions import lacking
from vlmd.media.client import Decoder
from vlmd.media.opening import identify
from vlmd.supervisor.asking import plan_of, recipe_of
from vlmd.supervisor.devices.discovery import discover
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.choosing import too_few_devices
from vlmd.supervisor.fleet.worker import worker_process
from vlmd.supervisor.models import model_spec
from vlmd.supervisor.process import Child
from vlmd.supervisor.scenes import find_cuts

T = TypeVar("T")

_SAID_EVERY_SECONDS = 2.0


class Trial:
    """Runs a pipeline over windows spread evenly; `say` hears what is going on."""

    def __init__(self, settings: Settings, pipeline: str, inputs: Inputs | None, say: Callable[[str], None]) -> None:
        """Raises `UsageError` for a pipeline that asks nothing by itself, or that needs more than `inputs`."""
        self._settings = settings
        self._pipeline = settings.pipelines[pipeline]
        self._inputs = inputs
        if problem := _untried(pipeline, self._pipeline, inputs or Inputs()):
            raise UsageError(problem)
        self._say = say
        self._decoder: Decoder | None = None
        self._said_at = time.monotonic()
        self.asked = 0
        """Windows that are asked; known once the video was read."""
        model = settings.models[self._pipeline.model]
        self._model = model_spec(self._pipeline.model, settings)
        nothing = dict.fromkeys(self._pipeline.context, Outcome())
        self._recipe = recipe_of(self._pipeline, self._model, model, self._inputs, nothing)

    async def answers(self, path: bytes, count: int) -> AsyncIterator[tuple[int, int, WindowAnswered]]:
        """(start, end, answer) of every window that was answered. Raises `MediaError`, `WorkerError`."""
        file = FileRef(os.path.dirname(path), path, identify(os.path.dirname(path), path))
        devices = (await discover(self._settings.devices, os.environ, Nvml()))[: self._model.devices]
        if len(devices) < self._model.devices:
            failure = too_few_devices(self._model, len(devices))
            raise WorkerError(failure.code, failure.reason)
        self._say("reading the video")
        index = await self._indexed(file)
        windows = _spread(await self._windows(file, index), count)
        self.asked = len(windows)
        worker = await worker_process(devices)
        try:
            self._say(f"loading {self._model.name} on {' and '.join(device.label for device in devices)}")
            first, count = devices[0], len(devices)
            worker.send(LoadModel(model=self._model, device=first.torch_name, called=first.name, devices=count))
            async for answer in self._serve(worker, self._run(file, index, windows)):
                span = windows[answer.window]
                yield span.start_ms, span.end_ms, answer
        finally:
            worker.kill()
            await worker.ended()

    async def _windows(self, file: FileRef, index: VideoIndex) -> list[Window]:
        """All that a job would have. A pipeline that speaks of others' results is asked without these."""
        if self._pipeline.context:
            self._say(f"asked without what {', '.join(self._pipeline.context)} would find; the daemon asks with it")
        plan = plan_of(self._pipeline, self._inputs)
        cuts: list[int] = []
        if isinstance(plan, ScenesPlan):
            self._say("looking for scenes")
            found = functools.partial(find_cuts, index=index, threshold=plan.threshold, looked_at=self._looked)
            cuts = [index.ms(pts) for pts in await self._decoded(file, found)]
        return plan_windows(index, plan, self._settings.limits.max_windows, cuts)

    async def _indexed(self, file: FileRef) -> VideoIndex:
        size = file.identity.size
        return await self._decoded(file, lambda decoder: decoder.index(lambda count: self._read(count / size)))

    async def _decoded(self, file: FileRef, use: Callable[[Decoder], T]) -> T:
        """What `use` makes of a decoder of the file, in a thread."""
        try:
            return await asyncio.to_thread(self._use, file, use)
        except asyncio.CancelledError:
            if self._decoder is not None:
                self._decoder.kill()
            raise

    def _use(self, file: FileRef, use: Callable[[Decoder], T]) -> T:
        with Decoder.start(file, self._settings.limits.for_decoder()) as decoder:
            self._decoder = decoder
            return use(decoder)

    def _read(self, share: float, what: str = "reading the video") -> None:
        """Tell how far it is, now and then."""
        now = time.monotonic()
        if now - self._said_at > _SAID_EVERY_SECONDS:
            self._said_at = now
            self._say(f"{what}: {100 * share:.0f} %")

    def _looked(self, share: float) -> None:
        self._read(share, "looking for scenes")

    def _loads(self, stage: str, now: float) -> None:
        """Tell how far the model is loaded: of a stage in parts now and then, of another at once."""
        if " of " not in stage or now - self._said_at > _SAID_EVERY_SECONDS:
            self._said_at = now
            self._say(f"{self._model.name}: {stage}")

    def _run(self, file: FileRef, index: VideoIndex, windows: list[Window]) -> RunWindows:
        return RunWindows(
            lease=0,
            job=0,
            file=file,
            width=index.facts.width,
            height=index.facts.height,
            rotation=index.facts.rotation,
            windows=windows,
            recipe=self._recipe,
            limits=self._settings.limits.for_decoder(),
            times_ms={pts: index.ms(pts) for window in windows for pts in window.pts},
        )

    async def _serve(self, worker: Child[FromWorker], run: RunWindows) -> AsyncIterator[WindowAnswered]:
        async for message in worker.messages():
            match message:
                case Beat(stage=stage) if stage.startswith("load"):
                    self._loads(stage, time.monotonic())
                case Ready():
                    asked = counted(len(run.windows), "window")
                    self._say(f"ready after {message.load_ms / 1000:.1f} s; asking {asked}")
                    worker.send(run)
                case WindowAnswered():
                    yield message
                case WindowFailed(window=window, failure=failure):
                    self._say(f"window {window}: {failure.code}: {failure.reason} ({failure.remedy})")
                case LeaseEnded(void=void):
                    if void is not None:
                        raise WorkerError(void.code, void.reason)
                    return
                case CannotStart(failure=failure):
                    raise WorkerError(failure.code, failure.reason)
                case Gone(exit=reason):
                    raise WorkerError(Code.WORKER_LOST, f"the worker is gone: {reason}")
                case _:
                    continue


def _untried(name: str, pipeline: PipelineSettings, inputs: Inputs) -> str | None:
    """Why this pipeline cannot be tried by itself."""
    if pipeline.task == "ensemble":
        return f"pipeline {name} asks no model: it merges what {', '.join(pipeline.of)} find; try one of these"
    if pipeline.window.around and not inputs.timestamps_ms:
        there = f"pipeline {name} looks only around what {pipeline.window.around} finds, and nothing is found here"
        return f"{there}; say where to look with --at, or drop the video"
    if problem := lacking(inputs, pipeline):
        return f"pipeline {name} asks of each video what it brings, and {problem}; say it with --question and --choice"
    return None


def _spread(windows: list[Window], count: int) -> list[Window]:
    """`count` windows from the first to the last at equal distances, numbered anew."""
    last = len(windows) - 1
    steps = max(1, min(count, len(windows)) - 1)
    chosen = sorted({round(step * last / steps) for step in range(min(count, len(windows)))})
    return [Window(i, w.start_ms, w.end_ms, w.pts, w.seek) for i, w in enumerate(windows[at] for at in chosen)]
