"""Windows around given moments or spans of a video: those that came with it, or that another pipeline found."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex
from vlmd.core.windows.whole import evenly
from vlmd.core.windows.window import FrameRule, Window, nothing_in, pictures_in, shown_at, window_of


class SpansPlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="plan", tag="spans"):
    """A window from `context_ms` before each span to `context_ms` behind it; a moment is an empty span."""

    spans_ms: list[tuple[int, int]]
    rule: FrameRule
    context_ms: int = 500

    @property
    def frames(self) -> int:
        """Most pictures that a window shows."""
        return self.rule.most


def spans_windows(index: VideoIndex, plan: SpansPlan, limit: int) -> list[Window]:
    """The windows in order, within the video; those that overlap or touch are one. None where there are no spans.

    Raises `MediaError` for a span that lies outside the video, for one without a picture, and for more than `limit`.
    """
    end = index.facts.duration_ms
    windows: list[Window] = []
    for start, stop in united(plan, end):
        within = pictures_in(index, start, stop) or shown_at(index, [Fraction(start)], index.pts)
        if not within:
            raise nothing_in(start, stop)
        windows.append(window_of(index, len(windows), start, stop, _chosen(index, plan, start, stop, within)))
    if len(windows) > limit:
        raise MediaError(Code.TOO_MANY_WINDOWS, f"the plan makes {len(windows)} windows; at most {limit} are allowed")
    return windows


def united(plan: SpansPlan, duration_ms: int) -> list[tuple[int, int]]:
    """The spans with their context, cut to the video, in order, overlapping and touching ones made one."""
    reached: list[tuple[int, int]] = []
    for start, stop in sorted(plan.spans_ms):
        if not 0 <= start <= duration_ms or stop < start:
            moment = f"{start / 1000:g} s" if start == stop else f"{start / 1000:g} to {stop / 1000:g} s"
            raise MediaError(
                Code.OUTSIDE_VIDEO, f"{moment} lies outside the video, which lasts {duration_ms / 1000:g} s"
            )
        start = min(start, duration_ms - 1)  # its very end is the last that is shown of it
        first, last = max(0, start - plan.context_ms), min(duration_ms, max(stop + plan.context_ms, start + 1))
        if reached and first <= reached[-1][1]:
            reached[-1] = (reached[-1][0], max(last, reached[-1][1]))
        else:
            reached.append((first, last))
    return reached


def _chosen(index: VideoIndex, plan: SpansPlan, start: int, stop: int, within: list[int]) -> list[int]:
    return evenly(index, start, stop, within, plan.rule.count(stop - start))
