"""Is the daemon well, and can it do its work? Asked by whoever watches over it: systemd, a container, a person."""

from __future__ import annotations

import asyncio
import sqlite3

from vlmd.core.errors import StoreError
from vlmd.store.store import ping
from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.parts import Parts

DEADLINE_SECONDS = 5.0
"""A database that takes longer does not answer."""


async def alive(parts: Parts) -> str | None:
    """None when all is well, else the reason why a restart would help.

    To be called in the daemon's own loop: that it runs at all shows that the loop does. The database is asked
    through the one writer, so that a transaction that hangs is noticed. One that refuses, because its disk is full or
    another program locks it, is waited for; a restart would not help.
    """
    if parts.store.problem is not None:
        return None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await parts.store.write(ping)
    except TimeoutError:
        return f"the database did not answer within {DEADLINE_SECONDS:.0f} s; see whether its disk does"
    except (StoreError, sqlite3.Error, ValueError) as error:  # aiosqlite raises the latter once it is closed
        return f"the database cannot be used: {error}"
    return None


def unready(parts: Parts) -> list[str]:
    """Why nothing would come of a video dropped now; empty when all is well."""
    reasons = []
    gone = (SlotState.PAUSED, SlotState.PARKED, SlotState.STOPPED)
    if all(slot.state in gone for slot in parts.fleet.slots):
        told = "; ".join(f"{slot.name}: {slot.reason or slot.state}" for slot in parts.fleet.slots)
        reasons.append(f"no worker can run: {told}")
    reasons += [str(problem) for problem in parts.problems()]
    if not parts.inbox.readable:
        reasons.append(parts.inbox.problem or "the inbox has not been looked at yet")
    return reasons
