"""Merging loses nothing, does not depend on order, and makes no group wider than the gap."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.merge import MergedEvent, WindowEvents, merge_counts, merge_events
from vlmd.core.tasks.events import Event


def window(start_s: int, *events: Event) -> WindowEvents:
    return WindowEvents(start_s // 2, start_s * 1000, start_s * 1000 + 3000, list(events))


def foul(confidence: float | None = None, team: str | None = "away", **fields: object) -> Event:
    return Event(label="Foul", team=team, confidence=confidence, **fields)


def spans(merged: list[MergedEvent]) -> list[tuple[int, list[int]]]:
    return [(event.start_ms // 1000, [one.start_ms // 1000 for one in event.evidence]) for event in merged]


# --- examples ----------------------------------------------------------------------------------------------


def test_overlapping_windows_that_see_one_event_are_one() -> None:
    merged = merge_events([window(10, foul(0.8)), window(12, foul(0.9, details="sure")), window(14, foul(0.9))], 4000)
    assert spans(merged) == [(12, [10, 14])]
    assert (merged[0].index, merged[0].end_ms, merged[0].confidence, merged[0].details) == (
        6,
        15000,
        0.9,
        "sure",
    )
    assert [(one.index, one.end_ms, one.confidence) for one in merged[0].evidence] == [
        (5, 13000, 0.8),
        (7, 17000, 0.9),
    ]


def test_the_gap_itself_still_counts() -> None:
    assert spans(merge_events([window(10, foul()), window(13, foul())], 3000)) == [(10, [13])]
    assert spans(merge_events([window(10, foul()), window(13, foul())], 2999)) == [(10, []), (13, [])]


def test_groups_do_not_chain_on() -> None:
    every_two_seconds = [window(at, foul()) for at in range(0, 12, 2)]
    assert spans(merge_events(every_two_seconds, 3000)) == [(0, [2]), (4, [6]), (8, [10])]


def test_other_labels_and_teams_stay_apart() -> None:
    events = [foul(), foul(team="home"), foul(team=None), Event(label="Goal", team="away")]
    merged = merge_events([window(0, *events)], 3000)
    assert [(event.label, event.team) for event in merged] == [
        ("Foul", None),
        ("Foul", "away"),
        ("Foul", "home"),
        ("Goal", "away"),
    ]


def test_two_of_a_kind_in_one_window_are_one_event() -> None:
    merged = merge_events([window(0, foul(details="25 on 17"), foul(details="2 on 42"))], 3000)
    assert [(event.details, [one.details for one in event.evidence]) for event in merged] == [("2 on 42", ["25 on 17"])]


def test_what_was_stated_stands_in_for_a_missing_confidence() -> None:
    windows = [
        window(0, foul(0.5, stated_confidence=0.99)),
        window(2, foul(stated_confidence=0.6)),
        window(4, foul()),
    ]
    assert spans(merge_events(windows, 4000)) == [(2, [0, 4])]


def test_counts_at_several_gaps() -> None:
    windows = [window(at, foul()) for at in (0, 4, 8, 30)]
    assert merge_counts(iter(windows)) == {3000: 4, 5000: 3, 10000: 2, 20000: 2}
    assert merge_counts([], [1]) == {1: 0}


# --- properties --------------------------------------------------------------------------------------------

EVENTS = st.builds(
    Event,
    label=st.sampled_from(["Foul", "Goal"]),
    team=st.sampled_from(["home", "away", "", None]),
    confidence=st.sampled_from([None, 0.0, 0.5, 0.9]),
    stated_confidence=st.sampled_from([None, 0.8, 0.9]),
    details=st.sampled_from(["", "a", "b"]),
    label_known=st.booleans(),
)
WINDOWS = st.lists(
    st.tuples(st.integers(0, 60), st.lists(EVENTS, max_size=3)).map(lambda drawn: window(drawn[0], *drawn[1])),
    max_size=25,
)
GAPS = st.integers(0, 20_000)


@given(WINDOWS, GAPS, st.randoms())
def test_order_does_not_matter(windows: list[WindowEvents], gap: int, random: object) -> None:
    shuffled = [WindowEvents(w.index, w.start_ms, w.end_ms, list(w.events)) for w in windows]
    for each in [shuffled, *(w.events for w in shuffled)]:
        random.shuffle(each)  # type: ignore[attr-defined]
    assert merge_events(shuffled, gap) == merge_events(windows, gap)


@given(WINDOWS, GAPS)
def test_every_event_is_kept_as_event_or_evidence(windows: list[WindowEvents], gap: int) -> None:
    given_events = Counter(
        (e.label, e.team, w.index, w.start_ms, w.end_ms, e.confidence, e.stated_confidence, e.details)
        for w in windows
        for e in w.events
    )
    kept = Counter(
        (
            m.label,
            m.team,
            one.index,
            one.start_ms,
            one.end_ms,
            one.confidence,
            one.stated_confidence,
            one.details,
        )
        for m in merge_events(windows, gap)
        for one in [m, *m.evidence]
    )
    assert kept == given_events


@given(WINDOWS, GAPS)
def test_groups_are_no_wider_than_the_gap_and_begin_further_apart(windows: list[WindowEvents], gap: int) -> None:
    begins: dict[tuple[str, str | None], list[int]] = {}
    merged = merge_events(windows, gap)
    for event in merged:
        starts = [one.start_ms for one in [event, *event.evidence]]
        assert max(starts) - min(starts) <= gap
        begins.setdefault((event.label, event.team), []).append(min(starts))
    for starts in begins.values():
        assert all(later - earlier > gap for earlier, later in pairwise(starts))
    assert merged == sorted(merged, key=lambda event: (event.start_ms, event.label, event.team or ""))


@given(WINDOWS, GAPS)
def test_merging_again_changes_nothing_where_the_first_of_each_group_stands_for_it(
    windows: list[WindowEvents], gap: int
) -> None:
    even = [
        WindowEvents(w.index, w.start_ms, w.end_ms, [Event(label=e.label, team=e.team) for e in w.events])
        for w in windows
    ]
    once = merge_events(even, gap)
    again = merge_events(
        [WindowEvents(m.index, m.start_ms, m.end_ms, [Event(label=m.label, team=m.team)]) for m in once], gap
    )
    assert [(m.start_ms, m.label, m.team) for m in again] == [(m.start_ms, m.label, m.team) for m in once]


@given(WINDOWS)
def test_wider_gaps_never_leave_more_events(windows: list[WindowEvents]) -> None:
    counts = list(merge_counts(windows).values())
    assert counts == sorted(counts, reverse=True)
