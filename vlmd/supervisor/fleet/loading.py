"""How far a model is loaded, and how long the rest will take. Pure: times are passed in, in seconds."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(\d+) of (\d+)")
_SAID_EVERY_SECONDS = 10.0


class Loading:
    """Hears what a worker says while it loads: stages, some of them in parts, as in "load weights 3 of 8"."""

    def __init__(self, begun: float, usual: float | None = None) -> None:
        """`usual`: what it took the last time."""
        self.stage = "load"
        self._begun = self._said = begun
        self._usual = usual
        self._first: tuple[int, float] | None = None
        """The first part of this stage that was heard of, and when."""
        self._part: tuple[int, int] | None = None
        self._part_at = begun

    def heard(self, stage: str, now: float) -> None:
        found = _PARTS.search(stage)
        before, self._part = self._part, (int(found[1]), int(found[2])) if found else None
        self._part_at = now
        if self._part is None or before is None or before[1] != self._part[1]:
            self._first = None if self._part is None else (self._part[0], now)
        self.stage = stage

    @property
    def share(self) -> float | None:
        """Of the parts of this stage that are done."""
        if self._part is None or not self._part[1]:
            return None
        return min(1.0, self._part[0] / self._part[1])

    def seconds(self, now: float) -> float:
        """Since it began."""
        return now - self._begun

    def left(self, now: float) -> float | None:
        """Seconds, as the last time had it, else as the parts come in; None where neither tells."""
        if self._usual is not None:
            left = self._usual - self.seconds(now)
            return left if left > 0 else None
        if self._part is None or self._first is None or self._part[0] <= self._first[0]:
            return None
        each = (self._part_at - self._first[1]) / (self._part[0] - self._first[0])
        left = each * (self._part[1] - self._part[0]) - (now - self._part_at)
        return max(0.0, left)

    def news(self, now: float) -> str | None:
        """A line for the log, every ten seconds at most."""
        if now - self._said < _SAID_EVERY_SECONDS:
            return None
        self._said = now
        share = f", {100 * self.share:.0f} %" if self.share is not None else ""
        left = self.left(now)
        return f"{self.stage}{share} after {self.seconds(now):.0f} s" + (f", {left:.0f} s left" if left else "")
