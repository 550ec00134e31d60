"""How far overlapping windows agree on an event.

A window that overlaps an event's span had a look at it, the longer the more of the span it shows: a neighbour that saw
a third of it says less by its silence than one that saw all. So each window whose answer could be read counts by the
milliseconds of the span it shows, and agreement is the share of these in windows that said the same label and team.
The event's own window is among them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from vlmd.core.merge import MergedEvent, WindowEvents


class Looks:
    """The windows of a video whose answers could be read, also those without an event; in any order."""

    def __init__(self, windows: Sequence[WindowEvents]) -> None:
        self._windows = sorted(windows, key=lambda window: (window.start_ms, window.end_ms, window.index))
        self._starts = [window.start_ms for window in self._windows]
        self._longest = max((window.end_ms - window.start_ms for window in windows), default=0)

    def agreement(self, event: MergedEvent) -> float | None:
        """From above 0 to 1; None where no other window looked at the event's span."""
        looks = [(window, _shared(window, event)) for window in self._near(event)]
        looks = [(window, shared) for window, shared in looks if shared > 0]
        if len(looks) < 2:
            return None
        same = sum(shared for window, shared in looks if _says(window, event))
        return same / sum(shared for _, shared in looks)

    def _near(self, event: MergedEvent) -> Sequence[WindowEvents]:
        """All that may overlap the event's span."""
        first = bisect_right(self._starts, event.start_ms - self._longest)
        return self._windows[first : bisect_left(self._starts, event.end_ms)]


def _shared(window: WindowEvents, event: MergedEvent) -> int:
    return min(window.end_ms, event.end_ms) - max(window.start_ms, event.start_ms)


def _says(window: WindowEvents, event: MergedEvent) -> bool:
    return any((one.label, one.team) == (event.label, event.team) for one in window.events)
