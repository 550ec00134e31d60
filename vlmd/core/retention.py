"""How long what is kept: from days in config.toml to the moments before which things may go. Pure."""

from __future__ import annotations

from typing import Protocol

import msgspec

DAY_MS = 86_400_000
FOREVER = "forever"
NEVER = 0
"""A cut-off that lets nothing go: no time lies before it."""

Days = int | str
"""A number of days, or `FOREVER`."""


class Keep(Protocol):
    """The `[retention]` section."""

    @property
    def history_days(self) -> Days: ...
    @property
    def jobs_days(self) -> Days: ...
    @property
    def answers_days(self) -> Days: ...
    @property
    def backups_days(self) -> Days: ...


class Cutoffs(msgspec.Struct, frozen=True):
    """What came before these times may go (milliseconds since 1970). `history` is never before `jobs`."""

    history: int
    """Windows' transitions and leases of jobs that ended before this."""
    jobs: int
    answers: int
    backups: int


def cutoffs(keep: Keep, now: int) -> Cutoffs:
    """The moments that a time of day makes of the days to keep. A job's history goes with the job at the latest."""
    jobs = _before(keep.jobs_days, now)
    return Cutoffs(
        history=max(jobs, _before(keep.history_days, now)),
        jobs=jobs,
        answers=_before(keep.answers_days, now),
        backups=_before(keep.backups_days, now),
    )


def _before(days: Days, now: int) -> int:
    return max(NEVER, now - days * DAY_MS) if isinstance(days, int) else NEVER


def clock_is_steady(wall_ms: int, monotonic_s: float) -> bool:
    """Whether the wall clock went as far as the other one did: after a jump, nobody knows how old anything is."""
    return abs(wall_ms - monotonic_s * 1000) < 60_000
