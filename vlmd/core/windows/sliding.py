"""Sliding windows over a video: spans of one length, one step apart.

Inside a window, time is cut into buckets of one sampling interval, and the first picture presented in each
bucket is shown. So no picture is shown twice, none from outside the window is shown, and overlapping windows
share their pictures whenever the step is a whole number of intervals.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from fractions import Fraction

import msgspec

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex
from vlmd.core.windows.window import Window, bounds, nothing_in, window_of


class SlidingPlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="plan", tag="sliding"):
    """Windows of `length_ms` every `step_ms`, `fps` pictures per second, between `from_ms` and `until_ms`."""

    length_ms: int = 3000
    step_ms: int = 2000
    fps: float = 5.0
    from_ms: int = 0
    until_ms: int | None = None

    @property
    def frames(self) -> int:
        """Most pictures that a window shows."""
        return math.ceil(Fraction(self.length_ms) * Fraction(str(self.fps)) / 1000)


def sliding_windows(index: VideoIndex, plan: SlidingPlan, limit: int) -> list[Window]:
    """Every window of `plan` that shows at least one picture, in order; the last one may be shorter.

    Together the windows hold every picture between `from_ms` and `until_ms` in their spans (if the step does
    not exceed the length). Raises `MediaError` where nothing is left or where there are more than `limit`.
    """
    begin, end = bounds(index, plan.from_ms, plan.until_ms)
    times = [index.ms(pts) for pts in index.pts]
    numbers = _occupied(times, begin, end, plan)
    if not numbers:
        raise nothing_in(begin, end)
    if len(numbers) > limit:
        raise MediaError(Code.TOO_MANY_WINDOWS, f"the plan makes {len(numbers)} windows; at most {limit} are allowed")
    interval = Fraction(1000) / Fraction(str(plan.fps))
    windows: list[Window] = []
    for number in numbers:
        start = begin + number * plan.step_ms
        stop = min(start + plan.length_ms, end)
        pts = _sample(index, bisect_left(times, start), bisect_left(times, stop), start, interval)
        windows.append(window_of(index, len(windows), start, stop, pts))
    return windows


def _occupied(times: list[int], begin: int, end: int, plan: SlidingPlan) -> list[int]:
    """Numbers of the windows in which a picture is shown, up to the first that reaches the end.

    Goes by the pictures, not by the clock: a file that claims to last for years costs no more than its packets.
    """
    last = max(0, -((begin + plan.length_ms - end) // plan.step_ms))
    numbers: set[int] = set()
    for time in times[bisect_left(times, begin) : bisect_left(times, end)]:
        newest = (time - begin) // plan.step_ms
        oldest = max(0, (time - begin - plan.length_ms) // plan.step_ms + 1)
        numbers.update(range(oldest, min(newest, last) + 1))
    return sorted(numbers)


def _sample(index: VideoIndex, at: int, until: int, start: int, interval: Fraction) -> list[int]:
    """Ticks of the first picture in every interval from `start` on, of those at positions [at, until).

    Reckons in ticks, exactly: with times cut to milliseconds, a video of 30 pictures per second asked for 30
    would lose every third.
    """
    numerator, denominator = index.time_base
    per_tick = Fraction(1000 * numerator, denominator) / interval
    offset = start / interval
    chosen = []
    while at < until:
        pts = index.pts[at]
        chosen.append(pts)
        bucket = (pts - index.pts[0]) * per_tick - offset
        next_bucket = (math.floor(bucket) + 1 + offset) / per_tick
        at = bisect_left(index.pts, index.pts[0] + math.ceil(next_bucket), at + 1)
    return chosen
