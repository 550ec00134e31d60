"""Hints from the operating system that something in the inbox changed. They may be lost; a rescan follows anyway."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from vlmd.filesystem import Kind, filesystem_of

_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]
"""A file moved in shows up as created only; the fewer kinds are asked for, the later the kernel's queue overflows."""


class Watch(FileSystemEventHandler):
    """Sets `changed` whenever something below `root` was created, moved or closed after writing."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._loop = asyncio.get_running_loop()
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self.changed = asyncio.Event()
        self.problem: str | None = None

    def renew(self) -> None:
        """Watch the folder that lies at `root` now; a folder that was deleted and made again needs a new watch."""
        facts = os.stat(self._root)
        if self._watched == (facts.st_dev, facts.st_ino):
            return
        self.stop()
        self._watched = (facts.st_dev, facts.st_ino)
        found = filesystem_of(Path(os.fsdecode(self._root)))
        if found.kind == Kind.NETWORK:
            self._rescans_only(f"{found.type} gives no notice of what other machines put there")
            return
        observer = Observer()
        try:
            observer.schedule(self, os.fsdecode(self._root), recursive=True, event_filter=_EVENTS)
            observer.start()
        except (OSError, RecursionError) as error:  # the latter from folders that lie a thousand deep
            self._rescans_only(str(error))
        else:
            self._observer, self.problem = observer, None

    def _rescans_only(self, why: str) -> None:
        self.problem = f"changes in the inbox are found by rescans only ({why}); inbox.rescan_seconds says how often"

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in the observer's thread."""
        self._loop.call_soon_threadsafe(self.changed.set)
