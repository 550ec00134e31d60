"""Verbs for notices: what hooks are to be told of jobs that ended. The database writes them itself, by a trigger."""

from __future__ import annotations

from collections.abc import Collection

import aiosqlite
import msgspec

from vlmd.store.rows import change, every, one


class Notice(msgspec.Struct, frozen=True):
    """A job came to its end; `state`, `code` and `reason` are those it had then."""

    id: int
    job_id: int
    event: str
    delivery: str
    """The same at every try: how whoever is told twice knows."""
    state: str
    code: str | None
    reason: str | None
    at: int
    due_at: int
    tries: int


async def want(db: aiosqlite.Connection, events: Collection[str], now: int) -> None:
    """From now on these events are noticed; what was noted of others is dropped, what was given up is tried again."""
    marks = ", ".join("?" for _ in events)
    await change(db, f"DELETE FROM hooked WHERE event NOT IN ({marks})", events)
    await change(db, f"DELETE FROM notices WHERE event NOT IN ({marks})", events)
    await db.executemany("INSERT OR IGNORE INTO hooked (event) VALUES (?)", [(event,) for event in events])
    await change(db, "UPDATE notices SET given_up = 0, tries = 0, due_at = ? WHERE given_up", (now,))


async def waiting(db: aiosqlite.Connection, limit: int) -> list[Notice]:
    """Notices that are still to be delivered, those first that are due first."""
    columns = ", ".join(Notice.__struct_fields__)
    rows = await every(db, f"SELECT {columns} FROM notices WHERE NOT given_up ORDER BY due_at, id LIMIT ?", (limit,))
    return [Notice(*row) for row in rows]


async def delivered(db: aiosqlite.Connection, notice: int) -> None:
    """A hook has taken it."""
    await change(db, "DELETE FROM notices WHERE id = ?", (notice,))


async def failed(db: aiosqlite.Connection, notice: int, problem: str, due_at: int | None) -> None:
    """A try was in vain; the next one is due then, or never (None)."""
    await change(
        db,
        "UPDATE notices SET tries = tries + 1, problem = ?, given_up = ?, due_at = coalesce(?, due_at) WHERE id = ?",
        (problem, due_at is None, due_at, notice),
    )


async def untried(db: aiosqlite.Connection) -> bool:
    """Some notice has not been tried even once."""
    return await one(db, "SELECT 1 FROM notices WHERE tries = 0 AND NOT given_up LIMIT 1") is not None
