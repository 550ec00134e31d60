"""What models need: a lower bound until their figures are worked out, and those from then on, over a restart too."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import msgspec
import pytest

from vlmd import catalog
from vlmd.config import Live
from vlmd.config.load import parse_settings
from vlmd.core import plans
from vlmd.core.memory import needed_bytes
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.plans import Shape
from vlmd.supervisor import figures as supervised
from vlmd.supervisor.figures import Book, shape

GB = 10**9
NAME = "HuggingFaceM4/idefics2-8b"
FIGURES = catalog.listed()[NAME]


def model(folder: Path, precision: str = "auto") -> ModelSpec:
    (folder / "config.json").write_text(json.dumps({"architectures": ["Idefics2ForConditionalGeneration"], "a": 1}))
    return ModelSpec(
        name="big", path=str(folder), revision="r", family="Idefics2ForConditionalGeneration", precision=precision,
        max_batch=8, threads=1, weight_bytes=2 * GB,
    )  # fmt: skip


def live(folder: Path, **pipeline: object) -> Live:
    data = {
        "paths": {"state": str(folder / "state")},
        "models": {"big": {"path": str(folder), "frame_tokens": 400}},
        "pipelines": {"p": {"model": "big", "labels": ["Goal"], **pipeline}},
    }
    return Live(parse_settings(data, folder), None)


def says(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(supervised, "command", lambda: ["/bin/sh", "-c", script])


async def until(what) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.01)


async def test_what_it_needs_is_known_once_a_child_has_said_it(tmp_path, monkeypatch):
    said = tmp_path / "said.json"
    said.write_text(json.dumps({"folder": str(tmp_path), "figures": msgspec.to_builtins(FIGURES)}) + "\n")
    says(monkeypatch, f"cat > /dev/null; cat {said}")
    one, settings = model(tmp_path), live(tmp_path)
    book = Book(settings, {"big": one}, wanted=True)
    assert book.needs(one, 24 * GB) == needed_bytes(2 * GB)
    running = asyncio.create_task(book.run())
    await until(lambda: book.of(one) == FIGURES)
    assert book.needs(one, 24 * GB) == plans.needs(FIGURES, "auto", book.shape(one), 24 * GB) > 16.8 * GB
    assert plans.weights(FIGURES, "nf4") < book.needs(one, 12 * GB) < 12 * GB
    await until((tmp_path / "state" / "model-figures.json").exists)
    running.cancel()
    assert Book(settings, {"big": one}, wanted=True).of(one) == FIGURES, "after a restart nobody is asked"


async def test_what_has_no_figures_goes_by_its_files_and_is_asked_for_once(tmp_path, monkeypatch, caplog):
    says(monkeypatch, f"echo x >> {tmp_path}/asked; echo no torch here >&2; exit 1")
    one = model(tmp_path)
    book = Book(live(tmp_path), {"big": one}, wanted=True)
    running = asyncio.create_task(book.run())
    await until(lambda: "no torch here" in caplog.text)
    book.wake()
    await asyncio.sleep(0.1)
    running.cancel()
    assert book.needs(one, 24 * GB) == needed_bytes(2 * GB)
    assert (tmp_path / "asked").read_text() == "x\n"


async def test_the_child_ends_with_the_daemon(tmp_path, monkeypatch):
    says(monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    book = Book(live(tmp_path), {"big": model(tmp_path)}, wanted=True)
    running = asyncio.create_task(book.run())
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_without_a_gpu_nobody_asks(tmp_path, monkeypatch):
    says(monkeypatch, "exit 1")
    book = Book(live(tmp_path), {"big": model(tmp_path)}, wanted=False)
    await asyncio.wait_for(book.run(), 1)


def test_the_shape_is_the_largest_that_a_pipeline_asks(tmp_path):
    settings = live(
        tmp_path, window={"length": 4.0, "fps": 5.0}, generation={"max_new_tokens": 99, "beams": 3}, prompt="x" * 300
    ).now
    found = shape(settings, "big")
    assert (found.frames, found.new_tokens, found.beams, found.frame_tokens) == (20, 99, 3, 400)
    assert found.words >= 100
    assert shape(settings, "other") == Shape()
