"""Windows: every picture is looked at, none twice, none from elsewhere, and nothing drifts."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.samples import FACTS
from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex, seconds_to_ms
from vlmd.core.windows import SlidingPlan, Window, plan_windows, seek_point

ENOUGH = 10**9
HOUR = 3_600_000


def video(pts: list[int], time_base: tuple[int, int] = (1, 1000), duration_ms: int | None = None) -> VideoIndex:
    index = VideoIndex(facts=FACTS, time_base=time_base, pts=pts, keyframes=pts[::10])
    duration = index.ms(pts[-1]) + 40 if duration_ms is None else duration_ms
    return replace(index, facts=replace(FACTS, duration_ms=duration, frames=len(pts)))


def steady(rate: Fraction, seconds: float, ticks_per_second: int) -> VideoIndex:
    """A video of constant frame rate, as an encoder times it."""
    count = ceil(seconds * rate)
    pts = [round(n * ticks_per_second / rate) for n in range(count)]
    return video(pts, (1, ticks_per_second), floor(count * 1000 / rate))


# --- properties of any video and any plan ------------------------------------------------------------------

GAPS = st.one_of(st.integers(1, 100), st.integers(1, 5000), st.sampled_from([40, 40, 40, HOUR]))
VIDEOS = st.builds(
    lambda first, gaps, base: video(list(accumulate(gaps, initial=first)), base),
    st.integers(-5000, 5000),
    st.lists(GAPS, max_size=60),
    st.sampled_from([(1, 1000), (1, 90_000), (1, 15_360), (1001, 30_000), (1, 25)]),
)
PLANS = st.builds(
    lambda length, step, fps, begin, span: SlidingPlan(
        length_ms=length,
        step_ms=step,
        fps=fps,
        from_ms=begin,
        until_ms=None if span is None else begin + span,
    ),
    st.integers(40, 8000),
    st.integers(40, 8000),
    st.sampled_from([0.1, 0.5, 1, 2.5, 5, 10, 23.976, 29.97, 30, 120]),
    st.sampled_from([0, 0, 0, 1, 777, 3000]),
    st.none() | st.integers(1, 20_000),
)


def planned(index: VideoIndex, plan: SlidingPlan) -> list[Window]:
    try:
        return plan_windows(index, plan, ENOUGH)
    except MediaError as error:
        assert error.failure.code == Code.NOTHING_IN_SPAN
        return []


def end_of(index: VideoIndex, plan: SlidingPlan) -> int:
    end = index.facts.duration_ms
    return end if plan.until_ms is None else min(end, plan.until_ms)


@given(VIDEOS, PLANS)
def test_every_picture_lies_in_a_window_unless_the_step_leaves_gaps(index: VideoIndex, plan: SlidingPlan) -> None:
    windows = planned(index, plan)
    for time in map(index.ms, index.pts):
        if plan.from_ms <= time < end_of(index, plan) and (time - plan.from_ms) % plan.step_ms < plan.length_ms:
            assert any(window.start_ms <= time < window.end_ms for window in windows)


@given(VIDEOS, PLANS)
def test_windows_stand_in_order_on_the_grid_of_the_plan(index: VideoIndex, plan: SlidingPlan) -> None:
    windows = planned(index, plan)
    assert [window.index for window in windows] == list(range(len(windows)))
    assert all(one.start_ms < other.start_ms and one.end_ms <= other.end_ms for one, other in pairwise(windows))
    for window in windows:
        assert (window.start_ms - plan.from_ms) % plan.step_ms == 0
        assert window.end_ms == min(window.start_ms + plan.length_ms, end_of(index, plan))


@given(VIDEOS, PLANS)
def test_no_window_is_empty_and_none_shows_a_picture_from_elsewhere(index: VideoIndex, plan: SlidingPlan) -> None:
    for window in planned(index, plan):
        assert window.pts and window.pts == sorted(set(window.pts)) and set(window.pts) <= set(index.pts)
        assert all(window.start_ms <= index.ms(pts) < window.end_ms for pts in window.pts)


@given(VIDEOS, PLANS)
def test_a_window_shows_the_first_picture_of_each_interval(index: VideoIndex, plan: SlidingPlan) -> None:
    interval, tick = 1000 / Fraction(str(plan.fps)), Fraction(*index.time_base) * 1000
    for window in planned(index, plan):
        firsts: dict[int, int] = {}
        for pts in index.pts:
            if window.start_ms <= index.ms(pts) < window.end_ms:
                firsts.setdefault(floor(((pts - index.pts[0]) * tick - window.start_ms) / interval), pts)
        assert window.pts == list(firsts.values())


@given(VIDEOS, PLANS, st.integers(1, 20))
def test_overlapping_windows_share_their_pictures_if_the_step_is_a_whole_number_of_intervals(
    index: VideoIndex, plan: SlidingPlan, intervals: int
) -> None:
    plan = SlidingPlan(length_ms=plan.length_ms, step_ms=200 * intervals, fps=5, from_ms=plan.from_ms)
    for one, other in pairwise(planned(index, plan)):
        assert [p for p in one.pts if index.ms(p) >= other.start_ms] == [
            p for p in other.pts if index.ms(p) < one.end_ms
        ]


@given(VIDEOS, PLANS)
def test_the_last_window_holds_the_last_picture(index: VideoIndex, plan: SlidingPlan) -> None:
    pictures = [time for time in map(index.ms, index.pts) if plan.from_ms <= time < end_of(index, plan)]
    windows = planned(index, plan)
    if pictures and plan.step_ms <= plan.length_ms:
        assert windows[-1].start_ms <= pictures[-1] < windows[-1].end_ms
        assert all(window.end_ms < end_of(index, plan) for window in windows[:-1])


@given(VIDEOS, PLANS, st.integers(-(10**6), 10**6))
def test_when_the_first_picture_is_shown_changes_nothing_but_the_ticks(
    index: VideoIndex, plan: SlidingPlan, shift: int
) -> None:
    late = video([pts + shift for pts in index.pts], index.time_base, index.facts.duration_ms)
    expected = [(w.start_ms, w.end_ms, [pts + shift for pts in w.pts]) for w in planned(index, plan)]
    assert [(w.start_ms, w.end_ms, w.pts) for w in planned(late, plan)] == expected


@given(VIDEOS, PLANS)
def test_the_limit_is_the_number_of_windows_allowed(index: VideoIndex, plan: SlidingPlan) -> None:
    if windows := planned(index, plan):
        assert plan_windows(index, plan, len(windows)) == windows
        with pytest.raises(MediaError) as refusal:
            plan_windows(index, plan, len(windows) - 1)
        assert refusal.value.failure.code == Code.TOO_MANY_WINDOWS


# --- particular videos -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [5, 2.5, 29.97])
def test_nothing_drifts_in_five_hours(fps: float) -> None:
    index = steady(Fraction(30_000, 1001), 5 * 3600, 30_000)
    begin = 5 * HOUR - 60_000
    windows = plan_windows(index, SlidingPlan(fps=fps, from_ms=begin), ENOUGH)
    interval = 1000 / Fraction(str(fps))
    for window in windows:
        moments = [Fraction(pts, 30) - window.start_ms for pts in window.pts]
        assert len({floor(moment / interval) for moment in moments}) == len(moments)
        assert len(moments) >= floor((window.end_ms - window.start_ms) * Fraction(str(fps)) / 1000) - 1
        assert all(moment % interval < Fraction(1001, 30) for moment in moments)
    assert windows[-1].end_ms == index.facts.duration_ms


@pytest.mark.parametrize(("rate", "ticks"), [(24, 12_288), (25, 12_800), (30, 15_360), (60, 90_000), (50, 1000)])
def test_asked_for_its_own_frame_rate_a_video_shows_every_picture(rate: int, ticks: int) -> None:
    index = steady(Fraction(rate), 10, ticks)
    windows = plan_windows(index, SlidingPlan(length_ms=3000, step_ms=1000, fps=rate), ENOUGH)
    assert all(len(window.pts) == 3 * rate for window in windows[:-1])


def test_the_plan_people_ask_for() -> None:
    windows = plan_windows(steady(Fraction(25), 10, 1000), SlidingPlan(), ENOUGH)
    assert [(window.start_ms, window.end_ms) for window in windows] == [
        (0, 3000),
        (2000, 5000),
        (4000, 7000),
        (6000, 9000),
        (8000, 10000),
    ]
    assert windows[1].pts == list(range(2000, 5000, 200))


@pytest.mark.parametrize("milliseconds", [1, 40, 300, 2999, 3000])
def test_a_video_no_longer_than_a_window_is_one_window(milliseconds: int) -> None:
    index = video(list(range(0, milliseconds, 40)), duration_ms=milliseconds)
    (window,) = plan_windows(index, SlidingPlan(), 1)
    assert (window.start_ms, window.end_ms, window.pts[0]) == (0, milliseconds, 0)


def test_one_picture_is_enough() -> None:
    (window,) = plan_windows(video([123_456]), SlidingPlan(), 1)
    assert (window.start_ms, window.end_ms, window.pts) == (0, 40, [123_456])


def test_a_file_that_claims_years_costs_no_more_than_its_pictures() -> None:
    years = 10 * 365 * 24 * HOUR
    index = video([0, 40, years - 40], duration_ms=years)
    assert [window.pts for window in plan_windows(index, SlidingPlan(step_ms=3000), 2)] == [[0], [years - 40]]


def test_nothing_between_from_and_until_is_an_error_with_a_reason() -> None:
    with pytest.raises(MediaError, match="the video ends at 1 s, and looking was to begin at 5 s"):
        plan_windows(video([0, 960], duration_ms=1000), SlidingPlan(from_ms=5000), ENOUGH)


# --- seeking -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 1000), unique=True).map(sorted), st.integers(0, 1000))
def test_decoding_begins_a_keyframe_earlier_than_needed_or_at_the_beginning(keyframes: list[int], pts: int) -> None:
    before = [keyframe for keyframe in keyframes if keyframe <= pts]
    assert seek_point(keyframes, pts) == (before[-2] if len(before) > 2 else None)


@given(st.decimals(0, 100_000, places=3))
def test_seconds_become_the_milliseconds_people_wrote(seconds: object) -> None:
    assert seconds_to_ms(float(str(seconds))) == int(str(seconds).replace(".", ""))
