"""Scoring: one to one, as many pairs as there can be, whatever the order."""

from dataclasses import replace
from itertools import permutations

import pytest

from vlmd.demo.game import TrueEvent
from vlmd.evaluation.matching import Score, overlap, pairs, score, within

GOAL = TrueEvent("Goal", "home", 1000, 3000)


def goal(start_ms: int, end_ms: int) -> TrueEvent:
    return TrueEvent("Goal", "home", start_ms, end_ms)


def test_the_same_event_is_found():
    assert score([GOAL], [GOAL]) == Score(1, 1, 1)


@pytest.mark.parametrize("change", [{"label": "Kick-off"}, {"team": "away"}, {"start_ms": 2900, "end_ms": 5000}])
def test_another_label_team_or_time_is_a_different_event(change):
    assert score([replace(GOAL, **change)], [GOAL]) == Score(0, 1, 1)


@pytest.mark.parametrize(("start_ms", "same"), [(2799, True), (2800, False)])
def test_more_than_200_ms_must_be_shared(start_ms, same):
    assert overlap(goal(start_ms, 9000), GOAL) is same


def test_a_true_event_is_found_only_once():
    assert score([GOAL, GOAL], [GOAL]) == Score(1, 2, 1)


def test_one_found_event_does_not_cover_two_true_ones():
    assert score([goal(0, 9000)], [goal(0, 2000), goal(4000, 6000)]) == Score(1, 1, 2)


def test_the_pairing_is_largest_in_any_order():
    wide, narrow, third = goal(0, 9000), goal(0, 2000), goal(4000, 6000)
    first, second, last = goal(0, 1500), goal(4000, 5000), goal(7000, 8000)
    for found in permutations([wide, narrow, third]):
        for true in permutations([first, second, last]):
            assert score(found, true).matched == 3


def test_pairs_are_positions_that_agree():
    found, true = [goal(5000, 7000), GOAL], [GOAL, goal(5500, 6000)]
    assert pairs(found, true) == [(0, 1), (1, 0)]


def test_figures():
    result = Score(matched=3, found=4, true=6)
    assert (result.precision, result.recall, result.f1) == (0.75, 0.5, 0.6)
    assert Score(1, 1, 1) + Score(2, 3, 5) == result


def test_nothing_to_find_and_nothing_found_is_right():
    empty = score([], [])
    assert (empty.precision, empty.recall, empty.f1) == (1.0, 1.0, 1.0)
    assert score([GOAL], []).f1 == 0.0
    assert score([], [GOAL]).f1 == 0.0


def test_within_compares_middles_and_is_inclusive():
    assert score([goal(0, 2000)], [goal(5000, 5000)], within(4000)).matched == 1
    assert score([goal(0, 2000)], [goal(5001, 5001)], within(4000)).matched == 0


def test_who_comes_first_keeps_a_true_event():
    assert pairs([goal(0, 3000), goal(0, 2500)], [goal(0, 2000)]) == [(0, 0)]


def test_a_long_chain_of_exchanges_needs_no_deep_stack():
    found = [goal(1000 * k, 1000 * k + 1500) for k in range(3000)]
    assert score([*found[1:], found[0]], found).matched == 3000
