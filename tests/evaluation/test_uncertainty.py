"""Intervals hold the figure, and a difference that is none is not found."""

import numpy as np

from vlmd.evaluation.uncertainty import interval, paired


def mean(totals):
    return totals[:, 0] / totals[:, 1]


def answers(share: float, count: int = 200, seed: int = 1):
    right = np.random.default_rng(seed).random(count) < share
    return np.stack([right, np.ones(count)], axis=1).astype(float)


def test_an_interval_is_as_wide_as_theory_has_it():
    units = answers(0.5, 400)
    low, high = interval(units, mean)
    value = units[:, 0].mean()
    width = 2 * 1.96 * np.sqrt(value * (1 - value) / 400)
    assert low < value < high
    assert abs((high - low) - width) < 0.2 * width


def test_the_same_seed_the_same_interval():
    assert interval(answers(0.3), mean) == interval(answers(0.3), mean)
    assert interval(answers(0.3), mean, seed=1) != interval(answers(0.3), mean)


def test_a_clear_difference_is_found_and_none_is_not():
    better = paired(answers(0.9, seed=1), answers(0.5, seed=2), mean)
    assert better.p < 0.001
    assert 0 < better.low < better.value < better.high
    same = paired(answers(0.5, seed=1), answers(0.5, seed=2), mean)
    assert same.p > 0.05
    assert paired(answers(0.5), answers(0.5), mean).p == 1.0


def test_few_units_are_exchanged_in_every_way():
    a, b = np.array([[1.0, 1.0]] * 3), np.array([[0.0, 1.0]] * 3)
    outcome = paired(a, b, mean)
    assert (outcome.exact, outcome.swaps, outcome.p) == (True, 8, 2 / 8)
