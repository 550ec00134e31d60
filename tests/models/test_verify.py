"""Canary windows tell a sane model from one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.checkpoints import broken, load
from vlmd.core.verification import Verification
from vlmd.worker.room import NoMemory
from vlmd.worker.verify import _question, verify

MODEL = Path(__file__).parents[2] / "vlmd" / "demo" / "model"


def found(path: Path, precision: str = "fp32") -> Verification:
    return verify(load(path, precision), lambda stage: None)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "nf4"])
def test_the_shipped_model_is_sane(precision):
    verification = found(MODEL, precision)
    assert verification.ok, verification.failed
    assert [check.name for check in verification.checks] == ["finite", "batch = single", "sees pictures", "answers"]


def test_one_that_computes_nan_must_not_be_used(tmp_path):
    def poison(weights: dict[str, torch.Tensor]) -> None:
        name = next(name for name in weights if "text_model" in name and "norm" in name)
        weights[name] = torch.full_like(weights[name], float("nan"))

    assert "NaN" in found(broken(tmp_path, poison)).refusal


def test_one_that_sees_nothing_is_told_of(tmp_path):
    def blind(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            if "connector" in name:
                weights[name] = torch.zeros_like(weights[name])

    verification = found(broken(tmp_path, blind))
    assert [check.name for check in verification.failed] == ["sees pictures"]
    assert verification.refusal is None


def test_one_that_goes_in_circles_is_told_of(tmp_path):
    def forget(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            if name.endswith("text_model.norm.weight"):
                weights[name] = torch.zeros_like(weights[name])

    assert "answers" in [check.name for check in found(broken(tmp_path, forget)).failed]


@pytest.mark.parametrize(("taken", "sane"), [(0.8, True), (1.3, False)])
def test_one_that_takes_more_memory_than_was_planned_is_told_of(taken, sane):
    """Measured by a stand-in: a CPU's memory is not."""
    engine = load(MODEL)

    class Measured(NoMemory):
        def used(self) -> int | None:
            return int(taken * plan)

    window = _question(engine, 0, "What?")
    plan = engine._room.planned(window.run.recipe, 3) or 0
    engine._room._memory = Measured()
    (memory,) = [check for check in verify(engine, lambda stage: None).checks if check.name == "memory"]
    assert memory.ok == sane, memory.said
