"""What it means when SQLite refuses: wait until it passes, or end before anything is acknowledged that is not there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vlmd.core.errors import DiskError, Problem

_PASSING = {
    sqlite3.SQLITE_FULL: ("the disk is full", "make room on the filesystem of paths.state"),
    sqlite3.SQLITE_IOERR_SHMSIZE: ("the disk is full", "make room on the filesystem of paths.state"),
    sqlite3.SQLITE_BUSY: ("another program holds it locked", "end whatever has opened the database"),
    sqlite3.SQLITE_LOCKED: ("another program holds it locked", "end whatever has opened the database"),
    sqlite3.SQLITE_CANTOPEN: ("a file beside it cannot be opened", "raise the limit of open files (ulimit -n)"),
}
"""What was refused before anything was changed, and may be tried again as often as one likes."""

_FATAL = {
    sqlite3.SQLITE_IOERR: "the disk failed; see the kernel's log, then start vlmd again: it checks the database",
    sqlite3.SQLITE_CORRUPT: "it is damaged; start vlmd again: it checks the database, and says what to do",
    sqlite3.SQLITE_NOTADB: "it is no database any more; start vlmd again: it checks the database, and says what to do",
    sqlite3.SQLITE_READONLY: "it cannot be written to any more; see whether its filesystem was remounted read-only",
    sqlite3.SQLITE_NOMEM: "there is no memory left; give the machine more, or use fewer workers",
}
"""By primary code. Never tried again: after a failed sync the kernel forgets what it could not write, and a second
sync would succeed without it."""


def refusal(error: BaseException, path: Path) -> Problem | DiskError | None:
    """A problem to wait for, an error to end with, or None: not the database is at fault but what was asked of it."""
    code = sqlite3.SQLITE_NOMEM if isinstance(error, MemoryError) else getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    passing = _PASSING.get(code) or _PASSING.get(code & 0xFF)
    if passing is not None:
        reason, remedy = passing
        return Problem(f"{path} cannot be written", f"{reason} ({_words(error)})", remedy)
    fatal = _FATAL.get(code & 0xFF)
    return None if fatal is None else DiskError(f"{path} cannot be written ({_words(error)}): {fatal}")


def _words(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return f"{name}: {error}" if str(error) else name
