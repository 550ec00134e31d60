"""Keeping house: once a day what has been kept long enough is forgotten, and the database is read through."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

import msgspec

from vlmd.clock import now_ms
from vlmd.config import Live
from vlmd.core.retention import DAY_MS, clock_is_steady, cutoffs
from vlmd.store import Store, wholeness
from vlmd.store.retention import Forgotten
from vlmd.store.sweep import Sweep, expected

logger = logging.getLogger("vlmd.keeping")

_FIRST_SECONDS = 600.0
"""From the start to the first time: long enough for a clock that was wrong at boot to be set right."""
_EVERY_SECONDS = DAY_MS / 1000


class Kept(msgspec.Struct, frozen=True):
    """What was forgotten, and how large the database is now."""

    forgotten: Forgotten
    database_bytes: int
    free_bytes: int


class Keeper:
    """Forgets by itself once a day, and when it is told to."""

    def __init__(self, live: Live, store: Store) -> None:
        self._live = live
        self._store = store
        self._busy = asyncio.Lock()

    async def run(self, first: float = _FIRST_SECONDS, every: float = _EVERY_SECONDS) -> None:
        """For ever. Ends with `StoreError` when the database turns out to be damaged."""
        pause = first
        while True:
            wall, monotonic = now_ms(), time.monotonic()
            await asyncio.sleep(pause)
            if clock_is_steady(now_ms() - wall, time.monotonic() - monotonic):
                await self._tend()
            else:
                logger.warning("the clock was set meanwhile; nothing is forgotten before tomorrow")
            pause = every

    async def forget(self) -> Kept:
        """Forget now what has been kept long enough."""
        async with self._busy:
            sweep = Sweep(self._store, self._live.now.paths.database, cutoffs(self._live.now.retention, now_ms()))
            done = await sweep.run()
        if any(msgspec.structs.astuple(done)):
            logger.info("forgotten: %s", described(done))
        return Kept(done, sweep.room.database, sweep.room.free)

    async def expected(self) -> Forgotten:
        """What would be forgotten now."""
        found = cutoffs(self._live.now.retention, now_ms())
        return await asyncio.to_thread(expected, self._live.now.paths.database, found)

    async def _tend(self) -> None:
        try:
            await asyncio.to_thread(wholeness.check, self._live.now.paths.database)
        except sqlite3.OperationalError as error:  # nothing is known of the file: it could not be opened, or was locked
            logger.warning("the database could not be read through: %s; tried again tomorrow", error)
        await self.forget()


def described(forgotten: Forgotten) -> str:
    """What goes, in words."""
    words = {
        "jobs": "jobs",
        "windows": "of their windows",
        "history": "entries of history",
        "leases": "leases",
        "answers": "answers",
        "files": "files' names",
        "backups": "copies of the database",
    }
    counted = msgspec.structs.asdict(forgotten)
    return ", ".join(f"{counted[name]} {what}" for name, what in words.items() if counted[name]) or "nothing"
