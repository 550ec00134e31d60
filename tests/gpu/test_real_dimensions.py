"""Every family at its real dimensions, with random weights: it loads, answers in batches, and takes what was foreseen.

Needs one NVIDIA GPU with 24 GB or more; no video, no network, no weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from gpu_kit.measure import load, measured, question
from gpu_kit.real import TINY, write

from vlmd.worker.engine import Engine
from vlmd.worker.loading import quantized_modules

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that torch can use"),
    pytest.mark.timeout(600),
]
DEVICE = "cuda:0"


@pytest.fixture(scope="module", params=TINY)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Gone again when its tests are done: each takes up to 17 GB of disk."""
    folder = tmp_path_factory.mktemp("real")
    write(request.param, folder, DEVICE)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["nf4", "bf16"])
def engine(checkpoint: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = load(checkpoint, request.param, DEVICE)
    yield engine
    del engine
    torch.cuda.empty_cache()


def test_it_answers_windows_of_15_frames_in_batches(engine: Engine) -> None:
    rows = list(measured(engine, [1, 2, 4], 16, DEVICE, repeats=1))
    assert [row.batch for row in rows] == [1, 2, 4]
    assert all(row.new_tokens > 0 and row.peak_bytes > 0 for row in rows)
    assert bool(quantized_modules(engine._family.model)) == (engine.precision == "nf4")
    for row in rows:
        assert row.peak_bytes <= 1.1 * row.planned_bytes, "the plan is an upper estimate"


@torch.inference_mode()
def test_a_batch_says_nearly_what_its_rows_say(engine: Engine) -> None:
    """Not bit for bit: kernels differ with the shape. The same first token, or one that was as good as even."""
    asked = [question(engine, 1) for _ in range(3)]
    together = _logits(engine, asked)
    for row, one in enumerate(asked):
        alone = _logits(engine, [one])[0]
        assert (alone - together[row]).abs().max() < 0.1 * (alone.max() - alone.min())


def _logits(engine: Engine, asked: list) -> torch.Tensor:
    return engine.first_logits(asked)
