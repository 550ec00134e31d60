"""When a worker that ended is started again, and when it is left alone. Pure: time is passed in, in seconds.

A worker that dies at work costs little and comes back, slower each time. A worker that cannot even start
would load its model over and over; it is parked, and a person must look. The first restart of one that worked
is immediate: with a single worker, nobody else could go on with what it held.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlmd.core.errors import Failure

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
GOOD_RUN = 300.0
"""A worker that was ready for this long, or answered a window, has shown that it works: its past is forgotten."""
FAILURE_SPAN = 600.0
"""Failed starts within this time are counted together."""


@dataclass(frozen=True)
class Restart:
    """Start the worker again at this time."""

    at: float


@dataclass(frozen=True)
class Parked:
    """Do not start the worker again."""

    reason: str


Decision = Restart | Parked


class Restarts:
    """What became of the starts of one worker, and what follows from it.

    A start has failed if the worker ends without ever being ready. `start_failures` of them park the worker
    if they lie within ten minutes, or if it was not ready once in between: loading may take long.
    """

    def __init__(self, start_failures: int) -> None:
        self._start_failures = start_failures
        self.forget()

    def forget(self) -> None:
        """Somebody has looked: the past does not count."""
        self._failed: list[float] = []
        self._delay = 0.0
        self._ready_at: float | None = None
        self._last_ready = float("-inf")
        self._parked: Parked | None = None

    @property
    def parked(self) -> Parked | None:
        return self._parked

    def ready(self, now: float) -> None:
        """The worker has loaded its model."""
        self._ready_at = self._last_ready = now

    def answered(self) -> None:
        """The worker has answered a window: it works, whatever ends it later."""
        self._failed.clear()
        self._delay = 0.0

    def exited(self, now: float, failure: Failure | None = None) -> Decision:
        """The worker ended without being asked to; `failure` is what it said if it cannot start at all."""
        worked = self._ready_at is not None
        if self._parked is None:
            self._count(now)
            self._parked = self._verdict(failure)
        return self._parked or Restart(now + self._next_delay(worked))

    def _count(self, now: float) -> None:
        """Take note of a failed start, or forget the past after a good run."""
        if self._ready_at is None:
            self._failed.append(now)
        elif now - self._ready_at >= GOOD_RUN:
            self._failed.clear()
            self._delay = 0.0
        self._ready_at = None
        self._failed = [at for at in self._failed if now - at <= FAILURE_SPAN or at >= self._last_ready]

    def _verdict(self, failure: Failure | None) -> Parked | None:
        if failure is not None:
            return Parked(f"it cannot start: {failure.reason}; {failure.remedy}")
        if len(self._failed) >= self._start_failures:
            count = len(self._failed)
            return Parked(f"{count} starts failed (limits.start_failures); see the log, then `vlmd resume` it")
        return None

    def _next_delay(self, worked: bool) -> float:
        delay = self._delay if worked else max(self._delay, FIRST_DELAY)
        self._delay = min(max(2 * delay, FIRST_DELAY), LONGEST_DELAY)
        return delay
