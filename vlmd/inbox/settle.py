"""Which files have stopped changing. Pure: observations go in, settled files come out."""

from __future__ import annotations

from collections.abc import Iterable

from vlmd.inbox.scan import Seen


class Settling:
    """Files that were seen and may still grow.

    A file has settled when it was the same (inode, size, time of change) at every look over `quiet` seconds.
    """

    def __init__(self, quiet: float) -> None:
        self.quiet = quiet
        self._since: dict[bytes, tuple[Seen, float]] = {}

    def observe(self, seen: Iterable[Seen], now: float) -> list[Seen]:
        """Take in one look at all unknown files; returns those that have settled. What is gone is forgotten."""
        before, self._since = self._since, {}
        settled = []
        for entry in seen:
            known, since = before.get(entry.path, (entry, now))
            if known.identity != entry.identity:
                since = now
            if now - since >= self.quiet:
                settled.append(entry)
            self._since[entry.path] = (entry, since)
        return settled

    def forget(self, path: bytes) -> None:
        """The file has been dealt with."""
        self._since.pop(path, None)

    def paths(self) -> list[bytes]:
        return list(self._since)
