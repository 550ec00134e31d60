"""Which files have stopped changing. Pure: observations go in, settled files come out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vlmd.inbox.scan import Seen


class _Watched(NamedTuple):
    entry: Seen
    since: float
    """Since when it has been the same."""
    first: float
    """When it was first seen, as whatever."""


class Settling:
    """Files that were seen and may still grow.

    A file has settled when it was the same (inode, size, time of change) at every look over `quiet` seconds.
    """

    def __init__(self, quiet: float) -> None:
        self.quiet = quiet
        self._since: dict[bytes, _Watched] = {}

    def observe(self, seen: Iterable[Seen], now: float) -> list[Seen]:
        """Take in one look at all unknown files; returns those that have settled. What is gone is forgotten."""
        before, self._since = self._since, {}
        settled = []
        for entry in seen:
            known = before.get(entry.path) or _Watched(entry, now, now)
            since = known.since if known.entry.identity == entry.identity else now
            if now - since >= self.quiet:
                settled.append(entry)
            self._since[entry.path] = _Watched(entry, since, known.first)
        return settled

    def forget(self, path: bytes) -> None:
        """The file has been dealt with."""
        self._since.pop(path, None)

    def growing(self, now: float) -> dict[bytes, float]:
        """Files that have changed since they were first seen, and for how many seconds they have been watched."""
        return {path: now - known.first for path, known in self._since.items() if known.since > known.first}

    def paths(self) -> list[bytes]:
        return list(self._since)
