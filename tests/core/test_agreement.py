"""Agreement is a share, weighs windows by what they saw of the event, and does not depend on anybody's order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.agreement import Looks
from vlmd.core.merge import MergedEvent, WindowEvents, merge_events
from vlmd.core.tasks.events import Event


def event(label: str = "Goal", team: str | None = None) -> Event:
    sure = {"confidence": None, "stated_confidence": None}
    return Event(label=label, team=team, details="", label_known=True, team_known=True, **sure)


def window(index: int, start_ms: int, end_ms: int, *labels: str) -> WindowEvents:
    return WindowEvents(index, start_ms, end_ms, [event(label) for label in labels])


def agreements(*windows: WindowEvents, gap_ms: int = 0) -> list[float | None]:
    return [Looks(windows).agreement(one) for one in merge_events(windows, gap_ms)]


def test_a_neighbour_counts_by_what_it_saw() -> None:
    """Three seconds every two: a neighbour sees a third of the span."""
    before, own, after = window(0, 0, 3000), window(1, 2000, 5000, "Goal"), window(2, 4000, 7000)
    assert agreements(before, own, after) == [3 / 5]
    assert agreements(window(0, 0, 3000, "Goal"), own, after, gap_ms=3000)[0] == 1.0
    assert agreements(window(0, 0, 3000, "Foul"), own)[1] == 3 / 4


def test_who_looked_alone_has_nobody_to_agree_with() -> None:
    assert agreements(window(0, 0, 3000, "Goal"), window(1, 3000, 6000, "Goal")) == [None, None]


windows = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(1, 5_000), st.lists(st.sampled_from("GFC"), max_size=2)), max_size=8
).map(lambda drawn: [window(at, s, s + length, *said) for at, (s, length, said) in enumerate(drawn)])


@given(windows)
def test_a_share_whatever_the_order(drawn: list[WindowEvents]) -> None:
    merged = merge_events(drawn, 3000)
    found = [Looks(drawn).agreement(one) for one in merged]
    assert all(share is None or 0 < share <= 1 for share in found)
    shuffled = sorted(drawn, key=lambda one: (one.index * 7) % 5)
    assert [Looks(shuffled).agreement(one) for one in merged] == found


@given(windows)
def test_it_is_what_the_definition_says(drawn: list[WindowEvents]) -> None:
    for one in merge_events(drawn, 3000):
        assert Looks(drawn).agreement(one) == defined(drawn, one)


def defined(drawn: Sequence[WindowEvents], one: MergedEvent) -> float | None:
    """Millisecond by millisecond would be the same; here interval by interval, over all windows."""
    looks = [(w, min(w.end_ms, one.end_ms) - max(w.start_ms, one.start_ms)) for w in drawn]
    looks = [(w, shared) for w, shared in looks if shared > 0]
    if len(looks) == 1:
        return None
    same = sum(shared for w, shared in looks if any((e.label, e.team) == (one.label, one.team) for e in w.events))
    return same / sum(shared for _, shared in looks)


@given(windows)
def test_all_saying_the_same_agree_fully(drawn: list[WindowEvents]) -> None:
    same = [WindowEvents(one.index, one.start_ms, one.end_ms, [event()]) for one in drawn]
    assert {Looks(same).agreement(one) for one in merge_events(same, 3000)} <= {None, 1.0}
