"""Verbs for scenes: where they begin, found once for each video and detector."""

from __future__ import annotations

from collections.abc import Sequence

import aiosqlite
import msgspec

from vlmd.store.rows import change, one


async def find(db: aiosqlite.Connection, fingerprint: str, detector: str) -> list[int] | None:
    """Ticks of the cuts, ascending; None where nobody has looked for them yet."""
    row = await one(db, "SELECT pts FROM cuts WHERE fingerprint = ? AND detector = ?", (fingerprint, detector))
    return None if row is None else msgspec.msgpack.decode(row["pts"], type=list[int])


async def keep(db: aiosqlite.Connection, fingerprint: str, detector: str, pts: Sequence[int], now: int) -> None:
    await change(
        db,
        "INSERT OR REPLACE INTO cuts (fingerprint, detector, pts, found_at) VALUES (?, ?, ?, ?)",
        (fingerprint, detector, msgspec.msgpack.encode(list(pts)), now),
    )
