"""When a worker comes back, and when it is left alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.errors import Code, Failure
from vlmd.supervisor.fleet.restart import GOOD_RUN, LONGEST_DELAY, Decision, Parked, Restart, Restarts

CANNOT = Failure(Code.MODEL_CANNOT_LOAD, "config.json is missing")
DURATION = st.floats(0, 2000, allow_nan=False)
LIVES = st.lists(st.tuples(DURATION, st.none() | DURATION), max_size=40)
"""Each life of a worker: seconds until it was ready or died, and, if it was ready, seconds until it died."""


def live(restarts: Restarts, start: float, load: float, run: float | None) -> tuple[float, Decision]:
    """One life from `start` on; returns when it ended and what was decided."""
    if run is not None:
        restarts.ready(start + load)
    end = start + load + (run or 0)
    return end, restarts.exited(end)


def test_one_that_worked_comes_back_at_once_and_then_slower_up_to_a_minute() -> None:
    restarts, now, delays = Restarts(5), 0.0, []
    for _ in range(9):
        end, decision = live(restarts, now, 1, 10)
        assert isinstance(decision, Restart)
        delays.append(decision.at - end)
        now = decision.at
    assert delays == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_failed_start_waits_from_the_first_on() -> None:
    assert [Restarts(9).exited(0), live(Restarts(9), 0, 5, None)[1]] == [Restart(1), Restart(6)]


def test_forgotten_it_is_as_on_its_first_day() -> None:
    restarts = Restarts(1)
    assert isinstance(restarts.exited(0), Parked)
    restarts.forget()
    assert restarts.parked is None
    assert live(restarts, 10, 1, 1) == (12, Restart(12))


def test_a_good_run_resets_the_delay() -> None:
    restarts = Restarts(5)
    for _ in range(4):
        live(restarts, 0, 1, 10)
    assert live(restarts, 100, 1, GOOD_RUN) == (401, Restart(401))


def test_a_run_just_too_short_does_not() -> None:
    restarts = Restarts(5)
    for _ in range(4):
        live(restarts, 0, 1, 10)
    end, decision = live(restarts, 100, 1, GOOD_RUN - 1)
    assert decision == Restart(end + 8)


def test_five_failed_starts_park() -> None:
    restarts = Restarts(5)
    decisions = [restarts.exited(10.0 * n) for n in range(5)]
    assert all(isinstance(decision, Restart) for decision in decisions[:4])
    assert decisions[4] == restarts.parked
    assert isinstance(decisions[4], Parked) and "5 starts failed" in decisions[4].reason


def test_failed_starts_within_ten_minutes_count_although_it_was_ready_in_between() -> None:
    restarts = Restarts(3)
    live(restarts, 0, 1, None)
    live(restarts, 100, 1, 5)
    live(restarts, 200, 1, None)
    live(restarts, 300, 1, 5)
    assert isinstance(live(restarts, 400, 1, None)[1], Parked)


def test_failed_starts_far_apart_do_not_count_once_it_was_ready() -> None:
    restarts = Restarts(3)
    for n in range(10):
        live(restarts, 1000.0 * n, 1, None)
        assert isinstance(live(restarts, 1000.0 * n + 500, 1, 5)[1], Restart)


def test_slow_failures_in_a_row_park_too() -> None:
    restarts = Restarts(3)
    assert isinstance(live(restarts, 0, 900, None)[1], Restart)
    assert isinstance(live(restarts, 1000, 900, None)[1], Restart)
    assert isinstance(live(restarts, 2000, 900, None)[1], Parked)


def test_cannot_start_parks_at_once_and_says_what_to_do() -> None:
    decision = Restarts(5).exited(0, CANNOT)
    assert isinstance(decision, Parked)
    assert CANNOT.reason in decision.reason and CANNOT.remedy in decision.reason


@given(LIVES, st.integers(1, 6))
def test_parked_stays_parked(lives: list[tuple[float, float | None]], limit: int) -> None:
    restarts = Restarts(limit)
    reason = restarts.exited(0, CANNOT)
    for load, run in lives:
        assert live(restarts, 1, load, run)[1] == reason


@given(LIVES, st.integers(1, 6))
def test_back_off_whatever_happens(lives: list[tuple[float, float | None]], limit: int) -> None:
    """Delays are at most a minute, a second at least after a failed start, and shrink after a good run only."""
    restarts, now, delays = Restarts(limit), 0.0, []
    for load, run in lives:
        end, decision = live(restarts, now, load, run)
        if isinstance(decision, Parked):
            break
        now = decision.at
        delays.append((round(now - end, 6), run))
    assert all((0 if run is not None else 1) <= delay <= LONGEST_DELAY for delay, run in delays)
    for (before, _), (after, run) in pairwise(delays):
        slower = min(max(1, 2 * before), LONGEST_DELAY)
        nearly_good = run is not None and run >= GOOD_RUN - 1
        certainly_good = run is not None and run >= GOOD_RUN + 1
        assert after == 0 if certainly_good else after == slower or (nearly_good and after == 0)


@given(LIVES, st.integers(1, 6))
def test_parked_only_for_failed_starts_and_never_late(lives: list[tuple[float, float | None]], limit: int) -> None:
    restarts, now, in_a_row, failed = Restarts(limit), 0.0, 0, 0
    for load, run in lives:
        now, decision = live(restarts, now, load, run)
        in_a_row, failed = (in_a_row + 1, failed + 1) if run is None else (0, failed)
        if isinstance(decision, Parked):
            assert run is None and failed >= limit
            return
        assert in_a_row < limit
