"""Whether the database's file is whole: read in full at a start, unless it lies there as a clean end left it.

Reading all of a large database takes seconds, so a clean end leaves a mark beside it: the file's inode, size and time
of change. A crash, a copy or a tool leaves none that fits. What changes without a trace is found by the daily check.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from shlex import quote

from vlmd.core.errors import StoreError


def mark_clean(database: Path) -> None:
    """To be called when the last connection is closed. A log that was left means that somebody still reads."""
    if not _has_log(database):
        _mark(database).write_text(_identity(database))


def take_mark(database: Path) -> bool:
    """Whether the file is as a clean end left it. The mark is gone afterwards: what follows may end otherwise."""
    try:
        clean = _mark(database).read_text() == _identity(database) and not _has_log(database)
    except FileNotFoundError:
        return False
    _mark(database).unlink()
    return clean


def damage(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the file, in SQLite's words; reads all of it. Raises what SQLite raises."""
    try:
        first = connection.execute("PRAGMA quick_check(1)").fetchone()
    except UnicodeDecodeError:  # SQLite quotes what it finds, and in a damaged file that need not be text
        return "it holds what is no text where there must be some"
    return None if first is None or first[0] == "ok" else " ".join(first[0].split())


def damaged(database: Path, what: object) -> StoreError:
    return StoreError(f"{database} is damaged ({what}); {recovery(database)}")


def recovery(database: Path) -> str:
    """What to do with a damaged database. Nothing of it is ever done unasked."""
    aside, whole = quote(str(database.parent / "damaged")), quote(str(database))
    return (
        f"stop vlmd, move it aside (`mkdir {aside} && mv {whole}* {aside}`) and start again, or save before that what"
        f" can be read, with a current sqlite3 program (`sqlite3 {aside}/{database.name} .recover | sqlite3 {whole}`);"
        " results are not touched by either"
    )


def check(database: Path) -> None:
    """Read all of it on a connection of its own, beside whoever writes. Raises `StoreError` where it is damaged."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    with contextlib.closing(connection):
        try:
            problem = damage(connection)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            problem = str(error)
    if problem is not None:
        raise damaged(database, problem)


def _mark(database: Path) -> Path:
    return database.with_name(f"{database.name}.clean")


def _has_log(database: Path) -> bool:
    """Something is left in it. Who only reads leaves an empty one."""
    try:
        return database.with_name(f"{database.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _identity(database: Path) -> str:
    facts = os.stat(database)
    return f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns}\n"
