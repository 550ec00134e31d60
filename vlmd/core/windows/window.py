"""A window: a span of a video and the pictures that stand for it, and how pictures are found by time.

Everything goes by presentation time, never by counting frames, so that variable frame rates, late starts and jumps in
time cost nothing. A span is half-open, in milliseconds from the first picture.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex


class Window(msgspec.Struct, frozen=True):
    """One span of a video and the pictures that stand for it."""

    index: int
    start_ms: int
    end_ms: int
    pts: list[int]
    """The pictures' presentation ticks, ascending, never empty."""
    seek: int | None
    """Where decoding may begin to get the first of them right; None is the very beginning of the file."""


class FrameRule(msgspec.Struct, frozen=True, kw_only=True):
    """How many pictures of a span are shown: `fps` for every second of it, between two bounds."""

    least: int
    most: int
    fps: float = 0.0

    def count(self, span_ms: int) -> int:
        wanted = round(Fraction(span_ms) * Fraction(str(self.fps)) / 1000)
        return max(self.least, min(self.most, wanted))


def seek_point(keyframes: list[int], pts: int) -> int | None:
    """The keyframe before the last one at or before `pts`; None for the beginning of the file.

    One keyframe earlier than seems needed: streams with open groups of pictures lack frames, or show broken
    ones, right after the keyframe that was sought to.
    """
    at = bisect_right(keyframes, pts) - 2
    return keyframes[at] if at > 0 else None


def window_of(index: VideoIndex, number: int, start_ms: int, end_ms: int, pts: Sequence[int]) -> Window:
    return Window(number, start_ms, end_ms, list(pts), seek_point(index.keyframes, pts[0]))


def bounds(index: VideoIndex, from_ms: int, until_ms: int | None) -> tuple[int, int]:
    """The part of the video that is looked at; it may be empty."""
    end = index.facts.duration_ms
    return from_ms, end if until_ms is None else min(end, until_ms)


def pictures_in(index: VideoIndex, start_ms: int, end_ms: int) -> list[int]:
    """Ticks of every picture that is first shown within the span."""
    return index.pts[_position(index, start_ms) : _position(index, end_ms)]


def shown_at(index: VideoIndex, moments: Sequence[Fraction], within: Sequence[int]) -> list[int]:
    """Of the pictures `within` (ascending ticks), those shown at these moments (ms, ascending), each once.

    The picture shown at a moment is the last that began by then; before the first one, the first.
    """
    numerator, denominator = index.time_base
    per_ms = Fraction(denominator, 1000 * numerator)
    chosen: list[int] = []
    for moment in moments:
        at = bisect_right(within, index.pts[0] + moment * per_ms) - 1
        pts = within[max(0, at)]
        if not chosen or pts > chosen[-1]:
            chosen.append(pts)
    return chosen


def nothing_in(start_ms: int, end_ms: int) -> MediaError:
    told = f"no picture is shown between {start_ms} ms and {end_ms} ms"
    if start_ms >= end_ms:
        told = f"the video ends at {end_ms / 1000:g} s, and looking was to begin at {start_ms / 1000:g} s"
    return MediaError(Code.NOTHING_IN_SPAN, told)


def _position(index: VideoIndex, ms: int) -> int:
    """Of the first picture that is shown at `ms` or later; `index.ms` rounds down, so whole milliseconds decide."""
    numerator, denominator = index.time_base
    ticks = -((-ms * denominator) // (1000 * numerator))
    return bisect_left(index.pts, index.pts[0] + ticks)
