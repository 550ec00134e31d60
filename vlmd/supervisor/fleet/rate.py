"""How fast things go lately. Pure: times are passed in, in seconds."""

from __future__ import annotations

from collections import deque

SPAN = 60.0
"""Seconds a rate looks back."""


class Rate:
    """Counts over the last minute."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def count(self, number: int, now: float) -> None:
        self._counts.append((now, number))
        self._forget(now)

    def per_second(self, now: float) -> float:
        """Average since the first count of the last minute; 0 when nothing was counted."""
        self._forget(now)
        if not self._counts:
            return 0.0
        since = max(1.0, now - self._counts[0][0])
        return sum(number for _, number in self._counts) / since

    def _forget(self, now: float) -> None:
        while self._counts and now - self._counts[0][0] > SPAN:
            self._counts.popleft()
