"""The one writer: opens the database, holds its lock, runs one verb at a time as one transaction."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from vlmd.core.errors import StoreError
from vlmd.store.schema import migrate

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate[aiosqlite.Connection, P], Awaitable[T]]

_PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "trusted_schema": 0}
"""Set on the connection and read back: FULL (2) loses nothing acknowledged to a power cut, NORMAL does."""


class Store:
    """Runs verbs. Two never overlap, and a cancelled caller never interrupts one half-way."""

    def __init__(self, connection: aiosqlite.Connection, lock_fd: int) -> None:
        self._connection = connection
        self._lock_fd = lock_fd
        self._busy = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open, check and migrate the database at `path`; raises `StoreError` where that cannot be done safely."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = _lock(path.with_name(f"{path.name}.lock"))
        try:
            await asyncio.to_thread(migrate, path)
            path.chmod(0o600)
            return cls(await _connect(path), lock_fd)
        except BaseException:
            os.close(lock_fd)
            raise

    async def write(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one verb as one transaction; when this returns, it is on disk.

        The transaction runs in a task of its own: cancelling the caller does not reach into it.
        """
        return await asyncio.shield(asyncio.ensure_future(self._transaction(verb, *args, **kwargs)))

    async def close(self) -> None:
        async with self._busy:
            await self._connection.close()
            os.close(self._lock_fd)

    async def _transaction(self, verb: Verb[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._busy:
            await self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = await verb(self._connection, *args, **kwargs)
                await self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    await self._connection.execute("ROLLBACK")
                raise
            return result


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
