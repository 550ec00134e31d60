"""Forgetting from end to end: many small transactions, so that no answer waits long for its turn to be written."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from vlmd.core.retention import Cutoffs
from vlmd.store import reader, retention
from vlmd.store.retention import ROWS, Forgotten, Room
from vlmd.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Sweep:
    """One round of forgetting. With `rest` it rests as long as it works, to leave the disk to others."""

    def __init__(self, store: Store, database: Path, cutoffs: Cutoffs, rest: bool = True) -> None:
        self._rest = rest
        self._store = store
        self._database = database
        self._cutoffs = cutoffs
        self.done = Forgotten()
        self.room = Room(0, 0)
        """Of the database, once this is done."""
        self.longest_ms = 0.0
        """The longest anything had to wait for one of these transactions."""

    async def run(self) -> Forgotten:
        before = await self._store.write(retention.room)
        for job in await self._find(retention.quiet_jobs):
            await self._history(job)
        for job in await self._find(retention.old_jobs):
            await self._job(job)
        await self._file_history()
        for batch in _batches(await self._find(retention.spare_files)):
            self.done.files += await self._write(retention.drop_files, batch)
        for batch in _batches(await self._find(retention.spare_answers)):
            self.done.answers += await self._write(retention.drop_answers, batch)
        await self._write(retention.drop_cuts, self._cutoffs.answers)
        self.room = await self._store.write(retention.room)
        self.done.bytes = max(0, self.room.free - before.free)
        await self._backups()
        return self.done

    async def _history(self, job: int) -> None:
        while any(dropped := await self._write(retention.drop_history, job, self._cutoffs.history)):
            self.done.history += dropped[0]
            self.done.leases += dropped[1]

    async def _job(self, job: int) -> None:
        while dropped := await self._write(retention.drop_windows, job, self._cutoffs.jobs):
            self.done.windows += dropped
        history = await self._write(retention.drop_job, job, self._cutoffs.jobs)
        if history is not None:
            self.done.jobs += 1
            self.done.history += history

    async def _file_history(self) -> None:
        while dropped := await self._write(retention.drop_file_history, self._cutoffs.history):
            self.done.history += dropped

    async def _backups(self) -> None:
        for path in await asyncio.to_thread(old_backups, self._database, self._cutoffs):
            size = path.stat().st_size
            path.unlink()
            self.done.backups += 1
            self.done.bytes += size

    async def _find(self, finder: Callable[[sqlite3.Connection, Cutoffs], T]) -> T:
        """What a snapshot says, looked up in a thread: nobody waits for that."""

        def look() -> T:
            with reader.snapshot(self._database) as db:
                return finder(db, self._cutoffs)

        return await asyncio.to_thread(look)

    async def _write(
        self, verb: Callable[Concatenate[aiosqlite.Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        begun = time.monotonic()
        result = await self._store.write(verb, *args, **kwargs)
        took = time.monotonic() - begun
        self.longest_ms = max(self.longest_ms, took * 1000)
        await asyncio.sleep(took if self._rest else 0)
        return result


def expected(database: Path, cutoffs: Cutoffs) -> Forgotten:
    """What a sweep would drop now; its bytes are estimated."""
    with reader.snapshot(database) as db:
        found = retention.expected(db, cutoffs)
    backups = old_backups(database, cutoffs)
    found.backups = len(backups)
    found.bytes += sum(path.stat().st_size for path in backups)
    return found


def old_backups(database: Path, cutoffs: Cutoffs) -> list[Path]:
    """Copies that an update left beside the database before the cut-off."""
    name = re.compile(re.escape(database.name) + r"\.before-[0-9]+")
    beside = [path for path in database.parent.iterdir() if name.fullmatch(path.name)]
    return sorted(path for path in beside if path.stat().st_mtime * 1000 < cutoffs.backups)


def _batches(ids: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(ids), ROWS):
        yield ids[at : at + ROWS]
