"""Errors as people and scripts meet them: one sentence, one exit code."""

from __future__ import annotations

from vlmd.core.errors import ConfigError, DiskError, FailureError, StoreError, UsageError, VlmdError

FAILED, USAGE, NOT_RUNNING, NO_SUCH_JOB, UNAVAILABLE, DISK, TEMPORARY, CONFIG = 1, 2, 3, 4, 69, 74, 75, 78


class NotRunning(VlmdError):
    """No daemon answers at the socket."""


class NoSuchJob(UsageError):
    """The daemon, or the database, knows no job of that number."""


class Unavailable(VlmdError):
    """Something the daemon cannot do without is not there."""


_CODES: list[tuple[type[VlmdError], int]] = [
    (ConfigError, CONFIG),
    (NoSuchJob, NO_SUCH_JOB),
    (NotRunning, NOT_RUNNING),
    (Unavailable, UNAVAILABLE),
    (DiskError, DISK),
    (StoreError, TEMPORARY),
    (UsageError, USAGE),
    (VlmdError, FAILED),
]


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error of ours, also from inside a group; None for what nobody foresaw."""
    known = _ours(error)
    return next((code for kind, code in _CODES if isinstance(known, kind)), None) if known else None


def sentence(error: BaseException) -> str:
    """What to tell the user, with what helps where that is known."""
    known = _ours(error)
    if isinstance(known, FailureError):
        return f"{known.failure.reason} ({known.failure.remedy})"
    if isinstance(known, ConfigError) and len(known.problems) > 1:
        return "the configuration is wrong:\n" + "\n".join(f"  {problem}" for problem in known.problems)
    return str(known)


def _ours(error: BaseException) -> VlmdError | None:
    """The first error of ours, if there is nothing else in the group."""
    if isinstance(error, BaseExceptionGroup):
        found = [_ours(inner) for inner in error.exceptions]
        return None if None in found else found[0]
    return error if isinstance(error, VlmdError) else None
