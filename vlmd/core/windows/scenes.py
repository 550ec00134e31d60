"""One window for each scene, which is what lies between two cuts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import msgspec

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex
from vlmd.core.windows.window import Window, bounds, nothing_in, pictures_in, shown_at, window_of


class ScenesPlan(msgspec.Struct, frozen=True, kw_only=True, tag_field="plan", tag="scenes"):
    """Scenes of `shortest_ms` at least, with `frames` pictures each, by the cuts of a detector with this threshold."""

    frames: int = 2
    threshold: float = 27.0
    shortest_ms: int = 2000
    from_ms: int = 0
    until_ms: int | None = None


def scenes_windows(index: VideoIndex, plan: ScenesPlan, cuts_ms: Sequence[int], limit: int) -> list[Window]:
    """The scenes in order, together the whole part of the video that is looked at; a video without cuts is one scene.

    `cuts_ms` are ascending. A scene without a picture (the video may have gaps) is no window. Pictures stand at the
    scene's start and at equal distances from there, of which the last lies before the scene's end: with two, at the
    start and in the middle. Raises `MediaError` where nothing is left, or more than `limit` are.
    """
    start, end = bounds(index, plan.from_ms, plan.until_ms)
    windows: list[Window] = []
    for first, last in scenes(start, end, cuts_ms, plan.shortest_ms):
        if within := pictures_in(index, first, last):
            gap = Fraction(last - first, plan.frames)
            pts = shown_at(index, [first + gap * number for number in range(plan.frames)], within)
            windows.append(window_of(index, len(windows), first, last, pts))
    if not windows:
        raise nothing_in(start, end)
    if len(windows) > limit:
        raise MediaError(Code.TOO_MANY_WINDOWS, f"there are {len(windows)} scenes; at most {limit} are allowed")
    return windows


def scenes(start_ms: int, end_ms: int, cuts_ms: Sequence[int], shortest_ms: int) -> list[tuple[int, int]]:
    """The spans between cuts that are `shortest_ms` apart at least, from the start on.

    A cut that comes too soon after the one before it is none, so nothing of the video is left out; where the last scene
    would be too short, the cut before it is none either.
    """
    if start_ms >= end_ms:
        return []
    kept = [start_ms]
    for cut in cuts_ms:
        if kept[-1] + shortest_ms <= cut < end_ms:
            kept.append(cut)
    if len(kept) > 1 and end_ms - kept[-1] < shortest_ms:
        kept.pop()
    return list(pairwise([*kept, end_ms]))
