"""One window for the whole video, or a part of it, with pictures at equal distances."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from vlmd.core.video import VideoIndex
from vlmd.core.windows.window import FrameRule, Window, bounds, nothing_in, pictures_in, shown_at, window_of


class WholePlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="plan", tag="whole"):
    """Pictures of the video between `from_ms` and `until_ms`, as many as `rule` says."""

    rule: FrameRule
    from_ms: int = 0
    until_ms: int | None = None

    @property
    def frames(self) -> int:
        """Most pictures that a window shows."""
        return self.rule.most


def whole_windows(index: VideoIndex, plan: WholePlan) -> list[Window]:
    """One window. Raises `MediaError` where it shows no picture."""
    start, end = bounds(index, plan.from_ms, plan.until_ms)
    within = pictures_in(index, start, end) if start < end else []
    if not within:
        raise nothing_in(start, end)
    return [window_of(index, 0, start, end, evenly(index, start, end, within, plan.rule.count(end - start)))]


def evenly(index: VideoIndex, start_ms: int, end_ms: int, within: Sequence[int], count: int) -> list[int]:
    """The pictures shown in the middles of `count` equal parts of a span; all there are, where they are fewer.

    The middles, and not both ends: the first picture of a video is often black, the last one is often damaged, and
    parts of equal length stand for equal times.
    """
    if len(within) <= count:
        return list(within)
    part = Fraction(end_ms - start_ms, count)
    return shown_at(index, [start_ms + part * number + part / 2 for number in range(count)], within)
