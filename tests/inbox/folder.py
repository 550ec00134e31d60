"""An inbox at work in a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vlmd.config import Live, Settings, parse_settings
from vlmd.inbox import Inbox
from vlmd.store import Store


class Folder:
    """An inbox in a folder of its own, with its database."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.voided: list[int] = []
        (self.inbox / "soccer").mkdir(parents=True)

    def settings(self, **inbox: Any) -> Settings:
        paths = {name: str(self.root / name) for name in ("inbox", "results", "state")}
        pipeline = {"model": "demo", "labels": ["Goal"]}
        return parse_settings(
            {
                "paths": paths,
                "inbox": {"settle_seconds": 0.2, "rescan_seconds": 0.3, **inbox},
                "models": {"demo": {"path": "vlmd-demo"}},
                "pipelines": {"soccer": pipeline, "tennis": pipeline},
            }
        )

    @asynccontextmanager
    async def open(self, **inbox: Any) -> AsyncIterator[Inbox]:
        """The inbox at work, until the end of the block."""
        store = await Store.open(self.root / "state" / "vlmd.db")
        watched = Inbox(Live(self.settings(**inbox)), store, lambda: None, self._void)
        running = asyncio.create_task(watched.run())
        try:
            yield watched
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await store.close()

    async def _void(self, jobs: list[int]) -> None:
        self.voided += jobs

    def drop(self, name: str, content: bytes = b"video") -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def jobs(self) -> dict[str, str]:
        """Name → result path of every job, in order."""
        return dict(self.rows("SELECT name, base FROM jobs ORDER BY id"))

    def refused(self) -> dict[str, str]:
        rows = self.rows("SELECT path, code FROM files WHERE state = 'refused'")
        return {os.fsdecode(os.path.relpath(path, os.fsencode(self.inbox))): code for path, code in rows}

    def write(self, sql: str) -> None:
        with sqlite3.connect(self.root / "state" / "vlmd.db") as connection:
            connection.execute(sql)

    def rows(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(self.root / "state" / "vlmd.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not happened():
            await asyncio.sleep(0.02)


async def looks(inbox: Inbox, more: int = 2) -> None:
    """Wait until everything that lies there has been looked at again and again, and has settled."""
    wanted = inbox.looks + more
    await until(lambda: inbox.looks >= wanted and not inbox.settling)
