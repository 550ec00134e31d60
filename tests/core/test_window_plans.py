"""Scenes, the whole video, spans around moments: everything is covered as promised, in order, and nothing drifts."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_windows import ENOUGH, HOUR, VIDEOS, steady, video
from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex
from vlmd.core.windows import (
    FrameRule,
    ScenesPlan,
    SpansPlan,
    WholePlan,
    Window,
    WindowPlan,
    plan_windows,
)
from vlmd.core.windows.scenes import scenes

RULES = st.builds(
    lambda least, more, fps: FrameRule(least=least, most=least + more, fps=fps),
    st.integers(1, 12),
    st.integers(0, 20),
    st.sampled_from([0.0, 0.5, 5.0, 23.976]),
)
CUTS = st.lists(st.integers(0, 200_000), max_size=30).map(sorted)


def planned(index: VideoIndex, plan: WindowPlan, cuts: list[int] | None = None) -> list[Window]:
    try:
        return plan_windows(index, plan, ENOUGH, cuts or [])
    except MediaError as error:
        assert error.failure.code in (Code.NOTHING_IN_SPAN, Code.OUTSIDE_VIDEO)
        return []


def sound(index: VideoIndex, windows: list[Window], most: int) -> None:
    """In order, apart, never empty, no picture twice, none from elsewhere."""
    for one, other in pairwise(windows):
        assert one.end_ms <= other.start_ms and other.index == one.index + 1
    for window in windows:
        assert 0 <= window.start_ms < window.end_ms <= index.facts.duration_ms
        assert 1 <= len(window.pts) <= most and window.pts == sorted(set(window.pts))
        inside = [pts for pts in index.pts if window.start_ms <= index.ms(pts) < window.end_ms]
        before = [pts for pts in index.pts if index.ms(pts) < window.start_ms]
        assert set(window.pts) <= set(inside or before[-1:] or index.pts[:1])
        assert set(window.pts) <= set(index.pts)


@given(VIDEOS, RULES, st.sampled_from([0, 0, 700]), st.none() | st.integers(701, 50_000))
def test_the_whole_video_is_one_window(index: VideoIndex, rule: FrameRule, begin: int, until: int | None) -> None:
    windows = planned(index, WholePlan(rule=rule, from_ms=begin, until_ms=until))
    assert len(windows) <= 1
    sound(index, windows, rule.most)
    if begin == 0 and until is None:
        assert (windows[0].start_ms, windows[0].end_ms) == (0, index.facts.duration_ms)


@given(VIDEOS, RULES)
def test_a_short_video_shows_all_its_pictures_and_a_long_one_as_many_as_the_rule_says(
    index: VideoIndex, rule: FrameRule
) -> None:
    (window,) = planned(index, WholePlan(rule=rule))
    wanted = rule.count(index.facts.duration_ms)
    assert rule.least <= wanted <= rule.most
    if len(index.pts) <= wanted:
        assert window.pts == index.pts


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001), Fraction(5)])
@pytest.mark.parametrize("seconds", [60, 5 * 3600])
def test_evenly_spaced_pictures_stand_in_the_middles_of_equal_parts(rate: Fraction, seconds: int) -> None:
    index = steady(rate, seconds, 90_000)
    (window,) = plan_windows(index, WholePlan(rule=FrameRule(least=8, most=8)), 1)
    for number, pts in enumerate(window.pts):
        middle = Fraction(index.facts.duration_ms) * (2 * number + 1) / 16
        assert 0 <= middle - index.ms(pts) <= 1000 / rate + 1


@pytest.mark.parametrize(("ms", "count"), [(300, 8), (1000, 10), (2500, 25), (60_000, 32)])
def test_between_the_bounds_the_rate_decides(ms: int, count: int) -> None:
    assert FrameRule(least=8, most=32, fps=10).count(ms) == count


@given(VIDEOS, CUTS, st.integers(1, 5000), st.integers(1, 6), st.sampled_from([0, 500]))
def test_scenes_cover_the_video_without_gaps(
    index: VideoIndex, cuts: list[int], shortest: int, frames: int, begin: int
) -> None:
    end = index.facts.duration_ms
    spans = scenes(begin, end, cuts, shortest)
    if begin < end:
        assert (spans[0][0], spans[-1][1]) == (begin, end)
        assert all(one[1] == other[0] for one, other in pairwise(spans))
        assert all(last - first >= shortest for first, last in spans) or len(spans) == 1
        assert {first for first, _ in spans[1:]} <= set(cuts)
    plan = ScenesPlan(frames=frames, shortest_ms=shortest, from_ms=begin)
    windows = planned(index, plan, cuts)
    sound(index, windows, frames)
    assert {(window.start_ms, window.end_ms) for window in windows} <= set(spans)
    inside = {pts for pts in index.pts if begin <= index.ms(pts) < end}
    covered = {pts for pts in inside for one in windows if one.start_ms <= index.ms(pts) < one.end_ms}
    assert covered == inside


def test_two_pictures_of_a_scene_are_its_start_and_its_middle() -> None:
    index = steady(Fraction(25), 20, 90_000)
    windows = plan_windows(index, ScenesPlan(), 10, [6000, 6500, 16_000])
    assert [(one.start_ms, one.end_ms) for one in windows] == [(0, 6000), (6000, 16_000), (16_000, 20_000)]
    assert [[index.ms(pts) for pts in one.pts] for one in windows] == [[0, 3000], [6000, 11_000], [16_000, 18_000]]


def test_a_video_without_cuts_is_one_scene() -> None:
    index = steady(Fraction(25), 0.3, 90_000)
    (window,) = plan_windows(index, ScenesPlan(), 1, [])
    assert (window.start_ms, window.end_ms) == (0, index.facts.duration_ms)


@given(
    VIDEOS,
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 5000)), max_size=12),
    st.integers(0, 3000),
    RULES,
)
def test_every_moment_lies_in_one_window_with_its_context(
    index: VideoIndex, moments: list[tuple[int, int]], context: int, rule: FrameRule
) -> None:
    duration = index.facts.duration_ms
    spans = [(start % duration, start % duration + length) for start, length in moments]
    windows = planned(index, SpansPlan(spans_ms=spans, context_ms=context, rule=rule))
    sound(index, windows, rule.most)
    assert all(one.end_ms < other.start_ms for one, other in pairwise(windows))
    for start, stop in spans if windows else []:
        held = [one for one in windows if one.start_ms <= start < one.end_ms]
        assert len(held) == 1
        assert held[0].start_ms <= max(0, start - context) and held[0].end_ms >= min(duration, stop + context)


@pytest.mark.parametrize("span", [(2001, 2001), (HOUR, HOUR), (-1, 5), (500, 400)])
def test_a_moment_outside_the_video_is_named(span: tuple[int, int]) -> None:
    plan = SpansPlan(spans_ms=[span], rule=FrameRule(least=1, most=1))
    with pytest.raises(MediaError, match="lies outside the video, which lasts 2 s") as caught:
        plan_windows(video(list(range(0, 2000, 40)), duration_ms=2000), plan, 10)
    assert caught.value.failure.code == Code.OUTSIDE_VIDEO


def test_where_nothing_was_found_there_is_nothing_to_look_at() -> None:
    assert (
        plan_windows(steady(Fraction(25), 5, 90_000), SpansPlan(spans_ms=[], rule=FrameRule(least=1, most=1)), 5) == []
    )


@pytest.mark.parametrize(
    "plan", [ScenesPlan(shortest_ms=10), SpansPlan(spans_ms=[(0, 0), (2000, 2000)], rule=FrameRule(least=1, most=1))]
)
def test_too_many_windows_are_refused(plan: WindowPlan) -> None:
    with pytest.raises(MediaError, match="at most 1"):
        plan_windows(steady(Fraction(25), 5, 90_000), plan, 1, [1000, 3000])
