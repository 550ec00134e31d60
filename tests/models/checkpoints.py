"""Tiny checkpoints, made once a test run and shared by its processes; pictures and questions for them."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import make

from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import ModelSpec, RunWindows
from vlmd.core.recipe import Generation, Recipe
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.weights import demo_folder
from vlmd.worker.engine import Engine
from vlmd.worker.loading import architecture
from vlmd.worker.questions import Picture, Question, Reply

_leases = itertools.count(1)
WIDTH, HEIGHT = 256, 144


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that every process of the test run has."""
    folder = factory.getbasetemp()
    base = (folder.parent if folder.name.startswith("popen") else folder) / "tiny"
    base.mkdir(exist_ok=True)
    return base


def shared_checkpoint(base: Path, name: str) -> Path:
    """The checkpoint `name` below `base`, made by whichever process comes first."""
    folder = base / name
    if not folder.exists():
        own = base / f"{name}-{os.getpid()}"
        make(name, own)
        try:
            own.rename(folder)
        except OSError:
            assert folder.exists()
    return folder


def pictures(seed: int, count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Picture]:
    """Noise in coarse blocks, so that resizing does not make all of them grey. uint8 (height, width, 3)."""
    dice = np.random.default_rng(seed)
    blocks = dice.integers(0, 256, (count, -(-height // 16), -(-width // 16), 3), dtype=np.uint8)
    return list(blocks.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width])


def question(shown: Sequence[Picture], prompt: str, frame_tokens: int | None = None, new: int = 12) -> Question:
    """A window that shows these pictures, of a lease of its own."""
    window = Window(0, 0, 3000, list(range(len(shown))), None)
    recipe = Recipe(
        model="tiny",
        revision="r",
        family="f",
        precision="auto",
        fps=5,
        prompt=prompt,
        generation=Generation(max_new_tokens=new),
        window_frames=15,
        frame_tokens=frame_tokens,
    )
    run = RunWindows(
        lease=next(_leases),
        job=1,
        file=FileRef(b"/", b"/v", FileIdentity(0, 0, 0)),
        width=WIDTH,
        height=HEIGHT,
        rotation=0,
        windows=[window],
        recipe=recipe,
        limits=DecodeLimits(),
    )
    return Question(run, window, window.pts, list(shown), prompt, 0)


def spec(path: Path, precision: str = "fp32", **other: str) -> ModelSpec:
    return ModelSpec(
        name="tiny", path=str(path), revision="r", family=architecture(str(path)), precision=precision,
        max_batch=8, threads=1, **other,
    )  # fmt: skip


def load(path: Path, precision: str = "fp32", **other: str) -> Engine:
    return Engine.load(spec(path, precision, **other), "cpu", lambda stage: None)


def answers(engine: Engine, questions: Sequence[Question]) -> list[Reply]:
    replies: dict[int, Reply] = {}
    engine.answer(questions, lambda rows: None, replies.__setitem__)
    return [replies[row] for row in range(len(questions))]


def again(asked: Question, change: Callable[[list[Picture]], list[Picture]] = list) -> Question:
    """The same question in a lease of its own, so that nothing of the first is remembered; other pictures if wanted."""
    run = replace_run(asked.run)
    return replace(asked, run=run, pictures=change(asked.pictures))


def replace_run(run: RunWindows) -> RunWindows:
    return msgspec.structs.replace(run, lease=next(_leases))


def generated(asked: Question, **way: Any) -> Question:
    """The same question in a lease of its own, its answer generated in another way."""
    recipe = asked.run.recipe
    generation = msgspec.structs.replace(recipe.generation, **way)
    recipe = msgspec.structs.replace(recipe, generation=generation)
    return replace(asked, run=msgspec.structs.replace(replace_run(asked.run), recipe=recipe))


def broken(tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A copy of the shipped model with other weights."""
    folder = tmp_path / "model"
    shutil.copytree(demo_folder(), folder)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
