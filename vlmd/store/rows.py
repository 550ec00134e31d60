"""Two helpers for verbs: the first row of a query, and its only value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiosqlite


async def one(db: aiosqlite.Connection, sql: str, values: Iterable[Any] = ()) -> aiosqlite.Row | None:
    async with db.execute(sql, tuple(values)) as cursor:
        return await cursor.fetchone()


async def every(db: aiosqlite.Connection, sql: str, values: Iterable[Any] = ()) -> list[aiosqlite.Row]:
    async with db.execute(sql, tuple(values)) as cursor:
        return list(await cursor.fetchall())


async def insert(db: aiosqlite.Connection, sql: str, values: Iterable[Any]) -> int:
    async with db.execute(sql, tuple(values)) as cursor:
        assert cursor.lastrowid is not None
        return cursor.lastrowid


async def change(db: aiosqlite.Connection, sql: str, values: Iterable[Any]) -> int:
    """Rows an UPDATE or DELETE touched."""
    async with db.execute(sql, tuple(values)) as cursor:
        return cursor.rowcount
