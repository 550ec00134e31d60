"""When decoded pictures are shown: at their own times where these make sense, else by a fixed rule.

The index and every later decoding that starts at the beginning of the file walk through the same `Clock`, so
they agree on the time of every picture, whatever the file says.
"""

from __future__ import annotations

from fractions import Fraction


class Clock:
    """Gives every decoded picture a time in ticks, strictly ascending.

    - A picture without a presentation time takes its decoding time; without either, it comes one interval
      after the last.
    - A time that goes back by more than a second is a restart (recordings glued together): what follows is
      moved on so that it continues after the last picture.
    - A time that goes back by less, or repeats, is shown one tick after the last picture.
    """

    def __init__(self, time_base: Fraction, interval: int) -> None:
        """`time_base` is seconds per tick; `interval` the usual ticks from one picture to the next."""
        self._restart = max(1, round(1 / time_base))
        self._interval = max(1, interval)
        self._offset = 0
        self._last: int | None = None

    def show(self, pts: int | None, dts: int | None) -> int:
        """The time of the next picture, given what its packet said."""
        self._last = self._next(pts if pts is not None else dts)
        return self._last

    def _next(self, stated: int | None) -> int:
        if self._last is None:
            return stated or 0
        if stated is None:
            return self._last + self._interval
        time = stated + self._offset
        if time > self._last:
            return time
        if self._last - time <= self._restart:
            return self._last + 1
        self._offset += self._last + self._interval - time
        return self._last + self._interval
