"""Scalings are found again, never turn an order round, and make confidence mean more."""

import math
import random

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from vlmd.core.calibration import Calibration, FittedOn, Scaling, apply, read_calibration, sigmoid
from vlmd.core.merge import MergedEvent
from vlmd.evaluation.calibrating import Example, best_threshold, fit, platt, reliability

examples = st.lists(st.builds(Example, st.sampled_from("ab"), st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def drawn(slope: float, intercept: float, count: int = 4000) -> list[Example]:
    rng = random.Random(5)
    made = []
    for _ in range(count):
        odds = rng.uniform(-4, 4)
        made.append(Example("Goal", sigmoid(odds), rng.random() < sigmoid(slope * odds + intercept)))
    return made


def test_the_scaling_that_made_the_examples_is_found():
    slope, intercept = platt(drawn(0.5, -1.0))
    assert math.isclose(slope, 0.5, abs_tol=0.08)
    assert math.isclose(intercept, -1.0, abs_tol=0.15)


def test_scaling_lowers_the_calibration_error():
    held = drawn(0.4, -1.0)
    made = fit(held, {"Goal": len(held)})
    after = [Example("Goal", made.scaled(one), one.right) for one in held]
    before = reliability(held).ece
    assert before > 0.15
    assert reliability(after).ece < 0.05


@given(examples)
def test_the_order_is_kept_and_every_confidence_is_one(held):
    made = fit(held, {"a": 10, "b": 3})
    for scaling in (made.pooled, *made.labels.values()):
        scaled = [scaling.of(confidence) for confidence in (0.0, 0.2, 0.5, 0.9, 1.0)]
        assert all(0 <= one <= 1 for one in scaled)
        assert scaled == sorted(scaled)
        assert 0 <= scaling.threshold <= 1


@given(examples)
def test_bins_hold_every_example_once(held):
    curve = reliability(held, without=3)
    assert sum(one.count for one in curve.bins) == curve.count == len(held)
    assert 0 <= curve.ece <= 1


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.integers(0, 20))
@example([(0.0, False), (5e-324, True)], 0)
@example([(0.5, False), (0.5000000000000001, True)], 0)
def test_no_threshold_has_a_better_f1(scored, missed):
    true = sum(right for _, right in scored) + missed
    threshold = best_threshold(scored, true)

    def f1(least: float) -> float:
        kept = [right for score, right in scored if score >= least]
        return 2 * sum(kept) / (len(kept) + true) if kept or true else 1.0

    assert f1(threshold) >= max(f1(score) for score, _ in scored) - 1e-12


def test_a_label_with_few_examples_is_scaled_like_all_and_named():
    made = fit([*drawn(1.0, 0.0, 100), *[Example("Corner", 0.9, False)] * 5], {"Goal": 60})
    assert made.too_few == {"Corner": 5}
    assert set(made.labels) == {"Goal"}


def event(label: str, confidence: float | None) -> MergedEvent:
    return MergedEvent(
        index=0,
        start_ms=0,
        end_ms=3000,
        label=label,
        team=None,
        confidence=confidence,
        stated_confidence=None,
        details="",
        label_known=True,
        team_known=True,
        evidence=[],
    )


def test_what_is_below_its_threshold_is_set_aside_and_what_has_no_confidence_is_kept():
    strict = Scaling(slope=1.0, intercept=0.0, threshold=0.8, examples=30, right=20)
    lenient = Scaling(slope=2.0, intercept=0.0, threshold=0.0, examples=30, right=20)
    on = FittedOn(task="events", pipelines=[], models=[], videos=[], truth=[], matching="")
    made = Calibration(name="x", fitted_on=on, pooled=lenient, labels={"Goal": strict}, too_few={})
    made = read_calibration(msgspec.json.encode(made), "x")
    kept, below = apply(made, [event("Goal", 0.9), event("Goal", 0.7), event("Foul", 0.7), event("Goal", None)])
    assert [(one.label, one.confidence and round(one.confidence, 4)) for one in kept] == [
        ("Goal", 0.9),
        ("Foul", 0.8448),
        ("Goal", None),
    ]
    assert [round(one.confidence, 4) for one in below] == [0.7]
