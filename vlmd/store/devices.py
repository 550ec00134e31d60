"""Verbs for devices: which were sent to rest. A restart of the daemon must not take a GPU that somebody else uses."""

from __future__ import annotations

from collections.abc import Collection

import aiosqlite

from vlmd.store.rows import change, every


async def pause(db: aiosqlite.Connection, devices: Collection[str], now: int) -> None:
    """These devices get no worker until they are resumed."""
    for device in devices:
        await change(
            db, "INSERT INTO paused_devices (device, since) VALUES (?, ?) ON CONFLICT DO NOTHING", (device, now)
        )


async def resume(db: aiosqlite.Connection, devices: Collection[str]) -> None:
    for device in devices:
        await change(db, "DELETE FROM paused_devices WHERE device = ?", (device,))


async def paused(db: aiosqlite.Connection) -> set[str]:
    return {row["device"] for row in await every(db, "SELECT device FROM paused_devices")}
