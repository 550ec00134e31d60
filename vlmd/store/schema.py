"""Bringing a database to the current schema, one numbered migration after the other."""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

from vlmd.core.errors import StoreError
from vlmd.store.wholeness import damage, damaged


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) of every migration, ascending."""
    folder = resources.files("vlmd.store") / "migrations"
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return [(int(entry.name[:4]), entry.read_text()) for entry in scripts]


def migrate(path: Path, read_all: bool = True) -> None:
    """Create the database, or bring it up to date; an older one is copied aside first.

    Every migration is one transaction together with its version number. A database of a newer vlmd is refused, and so
    is a damaged one; `read_all` looks at every page for that.
    """
    connection = _connect(path)
    try:
        _check(connection, path, read_all)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        scripts = migrations()
        newest = scripts[-1][0]
        if version > newest:
            raise StoreError(
                f"{path} has schema {version}, this vlmd knows {newest}; install the newer vlmd that wrote it"
            )
        if 0 < version < newest:
            _back_up(connection, path.with_name(f"{path.name}.before-{newest}"))
        for number, script in scripts:
            if number > version:
                _run(connection, path, number, script)
    finally:
        connection.close()


def _run(connection: sqlite3.Connection, path: Path, number: int, script: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    except sqlite3.Error as error:
        raise StoreError(f"{path} could not be brought to schema {number} ({error}); it is as it was") from error


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise _cannot_open(path, error) from error


def _cannot_open(path: Path, error: sqlite3.OperationalError) -> StoreError:
    return StoreError(f"{path} cannot be opened ({error}); see who owns it and what else uses it")


def _check(connection: sqlite3.Connection, path: Path, read_all: bool) -> None:
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        problem = damage(connection) if read_all else None
    except sqlite3.OperationalError as error:
        raise _cannot_open(path, error) from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from error
    if mode != "wal":
        raise StoreError(f"{path}: this filesystem cannot keep a write-ahead log; put paths.state on a local disk")
    if problem is not None:
        raise damaged(path, problem)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
