"""Remembers every answer it saw acknowledged: what is committed may be told to anybody, so it must never go."""

from __future__ import annotations

import hashlib
from typing import Any

from .daemon import Daemon


class Witness:
    """Looks at the answers again and again, from outside."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._seen: dict[int, str] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._seen)

    def look(self) -> None:
        """Take note of answers that are new."""
        for row in self._daemon.rows("SELECT * FROM answers WHERE id > ? ORDER BY id", self._last):
            self._last = row["id"]
            self._seen[row["id"]] = _digest(row)

    def lost(self) -> list[str]:
        """What of the noted is gone, or another, now."""
        now = {row["id"]: _digest(row) for row in self._daemon.rows("SELECT * FROM answers")}
        gone = [f"answer {number} was acknowledged and is gone" for number in self._seen if number not in now]
        changed = [number for number, digest in self._seen.items() if now.get(number, digest) != digest]
        return gone + [f"answer {number} was changed" for number in changed]


def _digest(row: dict[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
