"""What one checkpoint does on one device: memory and speed at several batch sizes, on windows of random pictures."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.core.recipe import Generation, Recipe, fit_edge
from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.worker.engine import Engine
from vlmd.worker.loading import architecture
from vlmd.worker.questions import Question, Reply

FRAMES = 15
VIDEO = (1280, 720)
"""Width and height of the video that windows are cut from."""
LABELS = "Penalty, Kick-off, Goal, Substitution, Offside, Foul, Corner, Yellow card, Red card"
PROMPT = fill(EVENTS_PROMPT, {"fps": "5", "labels": LABELS, "teams": "home or away"})
_leases = itertools.count(1)


@dataclass(frozen=True)
class Row:
    """One batch size."""

    batch: int
    new_tokens: int
    prompt_tokens: int
    seconds_per_window: float
    peak_bytes: int
    """Most memory that torch had in use; 0 on a CPU."""
    planned_bytes: int
    """What weights and batch were planned to take at the most."""

    @property
    def windows_per_second(self) -> float:
        return 1 / self.seconds_per_window


def load(folder: Path, precision: str, device: str, max_batch: int = 16) -> Engine:
    spec = ModelSpec(
        name=folder.name, path=str(folder), revision="r", family=architecture(str(folder)), precision=precision,
        max_batch=max_batch, threads=1,
    )  # fmt: skip
    return Engine.load(spec, device, lambda stage: None)


def measured(engine: Engine, batches: list[int], new_tokens: int, device: str, repeats: int = 2) -> Iterator[Row]:
    """Every batch size that fits, after a warm-up of its own; the rest are left out."""
    for batch in batches:
        try:
            times = [_run(engine, batch, new_tokens, device) for _ in range(repeats + 1)][1:]
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return
        seconds, replies, peak = min(times, key=lambda run: run[0])
        planned = (engine.ready().memory_planned or 0) + (replies[0].memory_planned or 0)
        yield Row(batch, len(replies[0].tokens), replies[0].prompt_tokens, seconds / batch, peak, planned)


def _run(engine: Engine, batch: int, new_tokens: int, device: str) -> tuple[float, list[Reply], int]:
    """Seconds, replies, and peak of memory for one batch of windows that share no frame."""
    questions = [question(engine, new_tokens) for _ in range(batch)]
    replies: dict[int, Reply] = {}
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    begun = time.monotonic()
    engine.answer(questions, lambda rows: None, replies.__setitem__)
    if device != "cpu":
        torch.cuda.synchronize()
    seconds = time.monotonic() - begun
    for asked in questions:
        engine.forget(asked.run.lease)
    peak = torch.cuda.max_memory_allocated() if device != "cpu" else 0
    return seconds, [replies[row] for row in range(batch)], peak


def question(engine: Engine, new_tokens: int, frame_tokens: int | None = None) -> Question:
    """A window of `FRAMES` random pictures, in a lease of its own."""
    window = Window(0, 0, 3000, list(range(FRAMES)), None)
    recipe = Recipe(
        model="m", revision="r", family="f", precision="auto", fps=5, prompt=PROMPT, frame_tokens=frame_tokens,
        generation=Generation(max_new_tokens=new_tokens), window_frames=FRAMES,
    )  # fmt: skip
    width, height = fit_edge(*VIDEO, engine.edge(recipe))
    run = RunWindows(
        lease=next(_leases), job=1, file=FileRef(b"/", b"/v", FileIdentity(0, 0, 0)), width=VIDEO[0], height=VIDEO[1],
        rotation=0, windows=[window], recipe=recipe, limits=DecodeLimits(),
    )  # fmt: skip
    dice = np.random.default_rng(run.lease)
    pictures = list(dice.integers(0, 256, (FRAMES, height, width, 3), dtype=np.uint8))
    return Question(run, window, window.pts, pictures, PROMPT, 0)
