"""Window plans: how a video is cut into the spans that are shown to a model.

window     what a window is, and how pictures are found by time
sliding    spans of one length, one step apart
scenes     what lies between cuts
whole      one window for the video
spans      around given moments

To add a plan: a module here with a struct of a tag of its own that knows the most `frames` of a window, and a line in
`WindowPlan` and `plan_windows`.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmd.core.video import VideoIndex
from vlmd.core.windows.scenes import ScenesPlan, scenes_windows
from vlmd.core.windows.sliding import SlidingPlan, sliding_windows
from vlmd.core.windows.spans import SpansPlan, spans_windows
from vlmd.core.windows.whole import WholePlan, whole_windows
from vlmd.core.windows.window import FrameRule, Window, seek_point

__all__ = [
    "FrameRule",
    "ScenesPlan",
    "SlidingPlan",
    "SpansPlan",
    "WholePlan",
    "Window",
    "WindowPlan",
    "plan_windows",
    "seek_point",
]

WindowPlan = SlidingPlan | ScenesPlan | WholePlan | SpansPlan
"""A union that is decoded by its tag."""


def plan_windows(index: VideoIndex, plan: WindowPlan, limit: int, cuts_ms: Sequence[int] = ()) -> list[Window]:
    """The windows of a plan, in order, at most `limit`; `cuts_ms` are where scenes begin, ascending.

    Raises `MediaError` where there are none, or too many. Only a plan around spans may have none: nothing was found.
    """
    match plan:
        case SlidingPlan():
            return sliding_windows(index, plan, limit)
        case ScenesPlan():
            return scenes_windows(index, plan, cuts_ms, limit)
        case WholePlan():
            return whole_windows(index, plan)
        case SpansPlan():
            return spans_windows(index, plan, limit)
