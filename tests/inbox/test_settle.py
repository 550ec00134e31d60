"""A file is taken once it has stopped changing, and not before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.video import FileIdentity
from vlmd.inbox.scan import Seen
from vlmd.inbox.settle import Settling

QUIET = 5.0
STEPS = st.lists(
    st.tuples(st.floats(0, 4, allow_nan=False), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))),
    max_size=40,
)
"""Looks: seconds since the one before, and the size of every file that lies there."""


def seen(name: str, size: int) -> Seen:
    return Seen(name.encode(), FileIdentity(2, size, 3), regular=True)


def test_a_file_that_grows_at_every_look_never_settles() -> None:
    settling = Settling(QUIET)
    assert not any(settling.observe([seen("a", size)], 100.0 * size) for size in range(20))


def test_a_file_settles_when_it_has_been_the_same_for_the_quiet_time() -> None:
    settling = Settling(QUIET)
    looks = [settling.observe([seen("a", 1)], now) for now in (10, 12, 14.9, 15, 16)]
    assert looks == [[], [], [], [seen("a", 1)], [seen("a", 1)]]


def test_a_change_at_the_last_moment_starts_the_quiet_time_anew() -> None:
    settling = Settling(QUIET)
    looks = [settling.observe([seen("a", size)], now) for now, size in ((0, 1), (4, 1), (5, 2), (9, 2), (10, 2))]
    assert looks == [[], [], [], [], [seen("a", 2)]]


def test_what_has_gone_is_forgotten_and_starts_anew_when_it_returns() -> None:
    settling = Settling(QUIET)
    settling.observe([seen("a", 1)], 0)
    settling.observe([], 4)
    assert settling.paths() == []
    assert settling.observe([seen("a", 1)], 6) == []


def test_what_was_dealt_with_does_not_settle_any_more() -> None:
    settling = Settling(QUIET)
    settling.observe([seen("a", 1), seen("b", 1)], 0)
    settling.forget(b"a")
    settling.forget(b"unknown")
    assert settling.paths() == [b"b"]


@given(STEPS)
def test_whatever_settles_was_the_same_at_every_look_for_the_quiet_time(
    steps: list[tuple[float, dict[str, int]]],
) -> None:
    settling, now, history = Settling(QUIET), 0.0, list[tuple[float, dict[str, int]]]()
    for pause, files in steps:
        now += pause
        history.append((now, files))
        settled = settling.observe([seen(name, size) for name, size in files.items()], now)
        assert {entry.path.decode() for entry in settled} == {
            name for name in files if now - unchanged_since(history, name) >= QUIET
        }
        assert {path.decode() for path in settling.paths()} == files.keys()


def unchanged_since(history: list[tuple[float, dict[str, int]]], name: str) -> float:
    """Time of the first of the last looks in a row at which the file was there as it is now."""
    since, now = history[-1][0], history[-1][1][name]
    for at, files in reversed(history):
        if files.get(name) != now:
            break
        since = at
    return since


def test_a_recording_that_never_ends_is_told_from_a_file_that_waits() -> None:
    settling = Settling(QUIET)
    for hour in range(3):
        settling.observe([seen("recording", hour), seen("copied", 1)], 3600.0 * hour)
    settling.observe([seen("recording", 9), seen("new", 1)], 7201.0)
    assert settling.growing(7202.0) == {b"recording": 7202.0}
