"""What a model takes of a GPU's memory: more for more, and exactly what can be reckoned by hand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmd.core import plans
from vlmd.core.errors import WorkerError
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.memory import CONTEXT_BYTES
from vlmd.core.plans import Shape

GIB = 1 << 30


def frame(tokens: int, pixels: int = 200_000) -> FrameSize:
    return FrameSize(tokens=tokens, most=tokens, edge=448, pixels=pixels)


SEVEN_B = Figures(
    architecture="A", family="A/1", parameters=8_400_000_000, quantizable=6_980_000_000, layers=32, hidden=4096,
    intermediate=14336, vocabulary=32003, kv_elements=2 * 32 * 8 * 128, context=32768, sizes=[frame(66), frame(326)],
    preferred=0, vision=105,
)  # fmt: skip

count = st.integers(1, 10_000)


@st.composite
def figures(draw: st.DrawFn) -> Figures:
    tokens = sorted(draw(st.lists(st.integers(1, 3000), min_size=1, max_size=4)))
    pixels = draw(st.integers(1, 1 << 24))
    parameters = draw(st.integers(1_000_000, 10**11))
    return Figures(
        architecture="A",
        family="A/1",
        parameters=parameters,
        quantizable=draw(st.integers(0, parameters)),
        layers=draw(st.integers(1, 100)),
        hidden=draw(count),
        intermediate=draw(st.integers(1, 40_000)),
        vocabulary=draw(st.integers(1, 300_000)),
        kv_elements=draw(st.integers(1, 1 << 19)),
        context=draw(st.integers(1, 1 << 20)),
        sizes=[frame(each, pixels + at) for at, each in enumerate(tokens)],
        preferred=draw(st.integers(0, len(tokens) - 1)),
        vision=draw(st.integers(0, 500)),
        shared=draw(st.booleans()),
    )


shapes = st.builds(
    Shape,
    frames=st.integers(1, 100),
    words=st.integers(0, 3000),
    new_tokens=st.integers(1, 4096),
    beams=st.integers(1, 8),
    frame_tokens=st.none() | st.integers(1, 3000),
)
precisions = st.sampled_from(["nf4", "int8", "bf16", "fp16", "fp32"])


def test_figures_that_were_reckoned_by_hand():
    assert plans.weights(SEVEN_B, "bf16") == plans.weights(SEVEN_B, "fp16") == 16_800_000_000
    assert plans.weights(SEVEN_B, "fp32") == 33_600_000_000
    assert plans.weights(SEVEN_B, "nf4") == pytest.approx(2 * 1.42e9 + 0.516 * 6.98e9, rel=0.001)
    assert plans.weights(SEVEN_B, "int8") == pytest.approx(2 * 1.42e9 + 6.98e9, rel=0.002)
    window = Shape(frames=15, words=120, new_tokens=80)
    assert plans.prompt_tokens(SEVEN_B, SEVEN_B.sizes[1], window) == 15 * 326 + 120
    parts = plans.plan(SEVEN_B, "bf16", SEVEN_B.sizes[1], window, 1)
    assert parts.kv == (5010 + 80) * 131_072
    assert parts.context == CONTEXT_BYTES
    assert parts.total == parts.weights + parts.kv + parts.activations + parts.context


@settings(deadline=None)
@given(figures(), shapes, precisions, st.integers(1, 64))
def test_more_takes_more(one: Figures, shape: Shape, precision: str, batch: int):
    size = one.sizes[0]
    parts = plans.plan(one, precision, size, shape, batch)
    assert plans.plan(one, precision, size, shape, batch + 1).total > parts.total
    assert min(parts.weights, parts.kv, parts.activations) > 0
    for more in ({"beams": shape.beams + 1}, {"new_tokens": shape.new_tokens + 1}, {"words": shape.words + 1}):
        assert plans.plan(one, precision, size, msgspec.structs.replace(shape, **more), batch).total > parts.total
    more = plans.plan(one, precision, one.sizes[-1], shape, batch)
    assert more.kv >= parts.kv


@settings(deadline=None)
@given(figures())
def test_fewer_bits_take_less(one: Figures):
    order = [plans.weights(one, precision) for precision in ("nf4", "bf16", "fp32")]
    assert order == sorted(order)
    assert plans.weights(one, "nf4") <= plans.weights(one, "int8")


@settings(deadline=None)
@given(figures(), shapes, precisions, st.integers(0, 10**12), st.booleans(), st.floats(0.1, 10))
def test_the_largest_batch_fits_and_one_more_does_not(
    one: Figures, shape: Shape, precision: str, free: int, loaded: bool, correction: float
):
    def takes(batch: int) -> float:
        parts = plans.plan(one, precision, one.sizes[0], shape, batch)
        return parts.batch * correction + (0 if loaded else parts.weights + parts.context)

    batch = plans.largest_batch(
        one, precision, one.sizes[0], shape, free, loaded=loaded, correction=correction, most=100
    )
    assert batch == 0 or takes(batch) <= free
    assert batch == 100 or takes(batch + 1) > free


@settings(deadline=None)
@given(figures(), shapes)
def test_a_chosen_size_fits_the_context_whatever_the_pictures_shape(one: Figures, shape: Shape):
    try:
        size = plans.chosen_size(one, shape)
    except WorkerError as error:
        assert error.failure.code == "context-exceeded"
        return
    shown = 1 if one.shared else shape.frames
    assert shown * size.most + shape.words + shape.new_tokens <= one.context
    assert shape.frame_tokens is None or size.most <= shape.frame_tokens
    most = plans.most_frames(one, size, shape)
    assert most is None or most >= shape.frames


@settings(deadline=None)
@given(figures(), shapes, st.integers(1, 200))
def test_auto_is_the_fast_float_exactly_where_a_window_fits(one: Figures, shape: Shape, gib: int):
    chosen = plans.automatic(one, shape, gib * GIB, "fp16")
    fits = plans.one_window(one, "fp16", shape).total <= gib * GIB
    assert chosen == ("fp16" if fits else "nf4")
    assert plans.needs(one, "auto", shape, gib * GIB) <= plans.one_window(one, chosen, shape).total
    if chosen == "nf4":
        assert plans.needs(one, "auto", shape, gib * GIB) <= plans.one_window(one, "nf4", shape).total


def test_large_frames_go_through_the_tower_one_by_one():
    assert [plans.frames_at_once(frame(1, pixels)) for pixels in (0, 200_000, 1 << 20, 5 << 20)] == [8, 8, 4, 1]


def test_auto_on_cards_people_have():
    assert [plans.automatic(SEVEN_B, Shape(), gib * GIB, "bf16") for gib in (12, 16, 24, 80)] == [
        "nf4", "nf4", "bf16", "bf16"]  # fmt: skip


def test_frames_that_can_never_fit_still_have_needs():
    tight = msgspec.structs.replace(SEVEN_B, context=100)
    with pytest.raises(WorkerError, match="do not fit into the model's context"):
        plans.chosen_size(tight, Shape())
    assert plans.needs(tight, "bf16", Shape(), None) > plans.weights(tight, "bf16")
