"""The schema is the sum of its migrations, holds the state machines, and is never brought up to date at a loss."""

from __future__ import annotations

import re
import sqlite3
import stat
from importlib import resources
from itertools import product
from pathlib import Path

import pytest

from tests.store.making import leased, planned, rows
from vlmd.core.errors import StoreError
from vlmd.core.states import FILE_ARROWS, JOB_ARROWS, WINDOW_ARROWS, FileState, JobState, WindowState
from vlmd.store import Store, schema

ARROWS = {"file": FILE_ARROWS, "job": JOB_ARROWS, "window": WINDOW_ARROWS}


def described(connection: sqlite3.Connection) -> tuple[object, ...]:
    """Tables, indices, triggers and the legal arrows, but for white space and comments."""
    parts = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name")
    bare = [(*part[:3], _bare(part[3])) for part in parts]
    return bare, connection.execute("SELECT * FROM legal ORDER BY 1, 2, 3").fetchall()


def _bare(sql: str) -> str:
    """Without comments, and without the blanks that make no difference: a column that was added has others."""
    words = " ".join(re.sub(r"--[^\n]*", "", sql).split())
    return re.sub(r"\s*([,()])\s*", r"\1", words)


def test_schema_is_the_sum_of_the_migrations(tmp_path: Path) -> None:
    schema.migrate(tmp_path / "db")
    whole = sqlite3.connect(":memory:")
    whole.executescript((resources.files("vlmd.store") / "schema.sql").read_text())
    assert described(sqlite3.connect(tmp_path / "db")) == described(whole)


def test_migrations_are_numbered_upwards_from_one() -> None:
    numbers = [number for number, _ in schema.migrations()]
    assert numbers[0] == 1 and numbers == sorted(set(numbers))


@pytest.mark.parametrize("entity", ARROWS)
async def test_the_database_knows_the_same_arrows_as_the_code(store: Store, database: Path, entity: str) -> None:
    legal = rows(database, "SELECT old, new FROM legal WHERE entity = ?", entity)
    assert {(arrow["old"], arrow["new"]) for arrow in legal} == ARROWS[entity]


@pytest.mark.parametrize(
    ("table", "states", "arrows"),
    [("jobs", JobState, JOB_ARROWS), ("windows", WindowState, WINDOW_ARROWS), ("files", FileState, FILE_ARROWS)],
)
async def test_the_database_refuses_every_other_arrow(
    store: Store, database: Path, table: str, states: type[JobState], arrows: frozenset[tuple[str, str]]
) -> None:
    await leased(store, await planned(store), 2)
    connection = sqlite3.connect(database, isolation_level=None)
    guard = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (f"{table}_arrows",)).fetchone()[0]
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for old, new in product(states, states):
        connection.execute("BEGIN")
        connection.execute(f"DROP TRIGGER {table}_arrows")
        connection.execute(f"UPDATE {table} SET state = ?", (old,))
        connection.execute(guard)
        if old == new or (old, new) in arrows:
            connection.execute(f"UPDATE {table} SET state = ?", (new,))
        else:
            with pytest.raises(sqlite3.IntegrityError, match="illegal transition"):
                connection.execute(f"UPDATE {table} SET state = ?", (new,))
        connection.execute("ROLLBACK")
    connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE windows SET lease = NULL WHERE state = 'leased'",
        "UPDATE windows SET state = 'answered', lease = NULL WHERE state = 'leased'",
        "UPDATE windows SET state = 'failed', lease = NULL WHERE state = 'leased'",
        "UPDATE jobs SET state = 'merging'",
        "UPDATE jobs SET state = 'failed'",
        "UPDATE jobs SET file_id = 99",
        "UPDATE jobs SET total = 'many'",
        "UPDATE windows SET end_ms = start_ms",
        "UPDATE windows SET idx = 0",
    ],
)
async def test_the_database_refuses_what_makes_no_sense(store: Store, database: Path, sql: str) -> None:
    await leased(store, await planned(store), 2)
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()


def test_an_older_database_is_copied_aside_before_it_is_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = tmp_path / "db", schema.migrations()
    schema.migrate(path)
    fill = sqlite3.connect(path)
    fill.execute("INSERT INTO recipes VALUES ('digest', 'body')")
    fill.commit()
    fill.close()
    number = known[-1][0] + 1
    monkeypatch.setattr(schema, "migrations", lambda: [*known, (number, "ALTER TABLE recipes ADD COLUMN note TEXT;")])
    schema.migrate(path)
    assert rows(path, "SELECT * FROM recipes") == [{"digest": "digest", "body": "body", "note": None}]
    assert rows(path, "PRAGMA user_version") == [{"user_version": number}]
    backup = tmp_path / f"db.before-{number}"
    assert rows(backup, "SELECT * FROM recipes") == [{"digest": "digest", "body": "body"}]
    assert rows(backup, "PRAGMA user_version") == [{"user_version": number - 1}]


def test_a_migration_that_fails_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, known = tmp_path / "db", schema.migrations()
    schema.migrate(path)
    before = described(sqlite3.connect(path))
    bad = "ALTER TABLE recipes ADD COLUMN note TEXT;\nINSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(schema, "migrations", lambda: [*known, (known[-1][0] + 1, bad)])
    with pytest.raises(StoreError, match="could not be brought"):
        schema.migrate(path)
    assert described(sqlite3.connect(path)) == before
    assert rows(path, "PRAGMA user_version") == [{"user_version": known[-1][0]}]


async def test_a_database_of_a_newer_vlmd_is_refused_and_left_alone(database: Path) -> None:
    await (await Store.open(database)).close()
    rows(database, "PRAGMA user_version = 1000")
    before = database.read_bytes()
    with pytest.raises(StoreError, match="has schema 1000"):
        await Store.open(database)
    assert database.read_bytes() == before


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough to be one" * 100, b"\xff" * 8192])
async def test_what_is_no_database_is_refused_and_left_alone(database: Path, damage: bytes) -> None:
    database.parent.mkdir()
    database.write_bytes(damage)
    with pytest.raises(StoreError, match="move it aside"):
        await Store.open(database)
    assert database.read_bytes() == damage


async def test_a_database_with_damaged_pages_is_refused(database: Path) -> None:
    store = await Store.open(database)
    await planned(store, count=500)
    await store.close()
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2] + b"\x5a" * 8192 + whole[len(whole) // 2 + 8192 :])
    with pytest.raises(StoreError, match="damaged"):
        await Store.open(database)


async def test_a_database_that_cannot_be_opened_is_not_called_damaged(database: Path) -> None:
    database.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot be opened .* see who owns it"):
        await Store.open(database)


async def test_the_database_is_for_its_owner_only(store: Store, database: Path) -> None:
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
