"""When a notice is tried again. Pure: times are passed in, in milliseconds."""

from __future__ import annotations

FIRST_DELAY_MS = 1_000
LONGEST_DELAY_MS = 600_000


def next_try(failures: int, most: int, now: int) -> int | None:
    """When to try again after so many failures in a row; None to give up."""
    if failures >= most:
        return None
    return now + min(FIRST_DELAY_MS << min(failures - 1, 20), LONGEST_DELAY_MS)


def wait_ms(due_at: int, now: int) -> int:
    """How long until then; nothing where it lies further ahead than any delay does: the clock was set back."""
    return due_at - now if now < due_at <= now + LONGEST_DELAY_MS else 0
