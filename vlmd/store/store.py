"""The one writer: opens the database, holds its lock, runs one verb at a time as one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import logging
import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from vlmd.core.errors import DiskError, Problem, StoreError, Unwritable
from vlmd.filesystem import Kind, filesystem_of, why_no_database
from vlmd.store.refusals import refusal
from vlmd.store.schema import migrate
from vlmd.store.wholeness import mark_clean, take_mark

logger = logging.getLogger("vlmd.store")

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[aiosqlite.Connection, P], Awaitable[T]]

_PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "trusted_schema": 0}
"""Set on the connection and read back: FULL (2) loses nothing acknowledged to a power cut, NORMAL does."""


_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between two attempts while the database refuses; the last one again and again."""


class Store:
    """Runs verbs. Two never overlap, and a cancelled caller never interrupts one half-way.

    While the disk is full, or another program locks the database, verbs wait and are run again from the beginning:
    whoever calls them pauses by itself and goes on by itself. When the disk fails, nothing is run any more.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path, lock_fd: int) -> None:
        self._connection = connection
        self._path = path
        self._lock_fd = lock_fd
        self._busy = asyncio.Lock()
        self._refused: dict[object, Problem] = {}
        """Verbs that wait, and why."""
        self._give_up = asyncio.Event()
        self._failed: DiskError | None = None

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open, check and migrate the database at `path`; raises `StoreError` where that cannot be done safely."""
        _require_local(path.parent)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(path.parent)
        lock_fd = _lock(path.with_name(f"{path.name}.lock"))
        try:
            await asyncio.to_thread(migrate, path, read_all=not take_mark(path))
            path.chmod(0o600)
            return cls(await _connect(path), path, lock_fd)
        except BaseException:
            os.close(lock_fd)
            raise

    @property
    def problem(self) -> Problem | None:
        """Why verbs wait just now; None while nobody has to."""
        return next(iter(self._refused.values()), None)

    async def write(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one verb as one transaction; when this returns, it is on disk. Waits while the database refuses.

        The transaction runs in a task of its own: cancelling the caller does not reach into it. Raises `DiskError`
        when the disk failed, `Unwritable` after `give_up`.
        """
        return await asyncio.shield(asyncio.ensure_future(self._until_written(verb, *args, **kwargs)))

    async def write_now(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for somebody who asks from outside: raises `Unwritable` instead of waiting."""
        if self.problem is not None:
            raise Unwritable(self.problem)
        return await asyncio.shield(asyncio.ensure_future(self._attempt(verb, *args, **kwargs)))

    def give_up(self) -> None:
        """Who waits for the database to take something waits no longer, nor does anybody who comes later."""
        self._give_up.set()

    async def shrink(self) -> None:
        """Write the file anew without what is free in it: takes its size again on disk, and nobody writes meanwhile."""
        async with self._busy:
            await self._connection.execute("VACUUM")
            await self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self, in_order: bool = True) -> None:
        """After an end that was not in order, the next start reads the whole database."""
        self.give_up()
        async with self._busy:
            await self._connection.close()
            if in_order and self._failed is None:
                mark_clean(self._path)
            os.close(self._lock_fd)

    async def _until_written(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        turn = object()
        try:
            for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
                try:
                    return await self._attempt(verb, *args, **kwargs)
                except Unwritable as refused:
                    if self._give_up.is_set():
                        raise
                    self._note(turn, refused.problem)
                await self._pause(pause)
        finally:
            self._forget(turn)
        raise AssertionError("pauses never end")

    async def _attempt(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction. Raises `Unwritable` for what may pass, and remembers a `DiskError`."""
        async with self._busy:
            if self._failed is not None:
                raise self._failed
            try:
                return await self._transaction(verb, *args, **kwargs)
            except (sqlite3.Error, MemoryError) as error:
                match refusal(error, self._path):
                    case Problem() as problem:
                        raise Unwritable(problem) from error
                    case DiskError() as failed:
                        self._failed = failed
                        raise failed from error
                raise

    async def _transaction(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = await verb(self._connection, *args, **kwargs)
            await self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                await self._connection.execute("ROLLBACK")
            raise
        return result

    def _note(self, turn: object, problem: Problem) -> None:
        """The problem is logged once, however many wait for it, and however often they try."""
        if not self._refused:
            logger.error("%s; waiting", problem)
        self._refused[turn] = problem

    def _forget(self, turn: object) -> None:
        if self._refused.pop(turn, None) is not None and not self._refused and not self._give_up.is_set():
            logger.warning("%s is written to again", self._path)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._give_up.wait(), seconds)


def _require_local(folder: Path) -> None:
    found = filesystem_of(folder)
    if (why := why_no_database(folder, found)) is not None:
        raise StoreError(why)
    if found.kind == Kind.UNKNOWN:
        logger.warning(
            "%s lies on %s, which is not known to be safe for a database; a local disk is", folder, found.type
        )


def _require_private(folder: Path) -> None:
    if stat.S_IMODE(folder.stat().st_mode) & stat.S_IWOTH:
        raise StoreError(f"everybody may write to {folder}, and could replace the database; run `chmod o-w {folder}`")


async def ping(db: aiosqlite.Connection) -> None:
    """The smallest verb: it reads a row."""
    async with db.execute("SELECT 1 FROM legal LIMIT 1") as cursor:
        await cursor.fetchone()


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise StoreError(f"another vlmd already runs on {path.parent}; stop it, or use another paths.state") from None
    return fd


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        connection.row_factory = aiosqlite.Row
        await _set_pragmas(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _set_pragmas(connection: aiosqlite.Connection) -> None:
    for name, value in _PRAGMAS.items():
        await connection.execute(f"PRAGMA {name} = {value}")
        async with connection.execute(f"PRAGMA {name}") as cursor:
            row = await cursor.fetchone()
        if row is None or row[0] != value:
            raise StoreError(f"SQLite did not accept {name} = {value} (it says {row and row[0]})")
