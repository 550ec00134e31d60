"""What is proposed fits, and more memory never makes the proposal worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_plans import figures, shapes
from vlmd import catalog
from vlmd.core import plans
from vlmd.core.plans import Shape
from vlmd.core.proposals import CPU_PARAMETERS, FEW, Room, proposals, proposed, shortage

GIB = 1 << 30
MODELS = catalog.listed()
memory = st.integers(1 << 20, 200 * GIB)


def card(gib: float, capability: int = 89) -> Room:
    return Room(int(gib * GIB * 0.95), int(gib * GIB), capability=capability)


@given(st.lists(figures(), max_size=5), memory, shapes, st.booleans(), st.sampled_from([None, 75, 89]))
def test_every_proposal_fits(models, free, shape, gpu, capability):
    room = Room(free, free, gpu, capability)
    for found in proposals({str(number): each for number, each in enumerate(models)}, room, shape):
        assert found.batch >= 1
        assert found.parts.total <= free
        assert found.parts == plans.plan(found.figures, found.precision, found.size, shape, found.batch)
        assert room.lacks(found.precision) is None
        assert gpu or (found.figures.parameters <= CPU_PARAMETERS and found.precision == "fp32")


@given(memory, memory)
def test_more_memory_never_makes_the_first_proposal_worse(one, other):
    less, more = sorted((one, other))
    poor, rich = (proposals(MODELS, Room(free, 200 * GIB), Shape()) for free in (less, more))
    assert {each.model for each in poor} <= {each.model for each in rich}
    if poor and poor[0].batch >= FEW:
        better, worse = rich[0], poor[0]
        assert better.batch >= FEW
        assert (better.trained, better.figures.parameters) >= (worse.trained, worse.figures.parameters)


@pytest.mark.parametrize(
    ("room", "first", "precision", "setting"),
    [
        (card(24), "Qwen/Qwen3-VL-8B-Instruct", "nf4", "nf4"),
        (card(80), "Qwen/Qwen3-VL-8B-Instruct", "bf16", "auto"),
        (card(16, 75), "Qwen/Qwen3-VL-8B-Instruct", "nf4", "auto"),
        (Room(16 * GIB, 16 * GIB, gpu=False), "HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "fp32", "auto"),
        (Room(3 * GIB, 4 * GIB, gpu=False), "HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "fp32", "auto"),
    ],
)
def test_what_is_proposed_first(room, first, precision, setting):
    found = proposals(MODELS, room, Shape())[0]
    assert (found.model, found.precision, found.setting) == (first, precision, setting)


def test_before_ampere_half_precision_is_fp16():
    old, new = card(48, 75), card(48, 80)
    assert [proposals(MODELS, room, Shape())[0].precision for room in (old, new)] == ["fp16", "bf16"]
    assert new.lacks("bf16") is None and new.lacks("int8") is None
    assert "has no bf16" in str(old.lacks("bf16"))


def test_a_precision_that_is_asked_for_is_written_as_it_is():
    found = proposed("it", MODELS["Qwen/Qwen3-VL-2B-Instruct"], card(24), Shape(), "bf16")
    assert found is not None and (found.precision, found.setting) == ("bf16", "bf16")


def test_nothing_is_proposed_where_nothing_fits():
    assert proposals(MODELS, Room(GIB, GIB), Shape()) == []
    assert "takes" in shortage(MODELS["Qwen/Qwen3-VL-8B-Instruct"], card(4), Shape())
    crowded = Shape(frames=1000)
    assert "do not fit into the model's context" in shortage(MODELS["HuggingFaceM4/idefics2-8b"], card(80), crowded)
