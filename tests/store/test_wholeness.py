"""A database that is not whole is refused whatever happened to it, and left alone; a whole one opens quickly."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.making import answered, planned, rows, state
from vlmd.core.errors import StoreError
from vlmd.store import Store, schema, wholeness

ROOT = Path(__file__).parents[2]
WINDOWS = 150


async def filled(database: Path) -> None:
    """A database with a job that is to be merged, after a clean end."""
    store = await Store.open(database)
    await answered(store, await planned(store, count=WINDOWS), "answer in the middle " * 5)
    await store.close()


def killed(database: Path) -> None:
    """A database as a daemon leaves it that was killed: all it did lies in the write-ahead log."""
    code = (
        "import asyncio, os, pathlib, sys; from tests.store.making import *;"
        "from vlmd.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(pathlib.Path(sys.argv[1]))\n"
        f"    await answered(store, await planned(store, count={WINDOWS}))\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(database)], cwd=ROOT, timeout=120, check=False)
    assert ran.returncode == -signal.SIGKILL


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Fills whenever a start reads the whole database."""
    looks: list[object] = []
    monkeypatch.setattr(schema, "damage", lambda connection: looks.append(connection))
    return looks


async def opened_and_closed(database: Path) -> None:
    await (await Store.open(database)).close()


async def test_after_a_clean_end_a_start_does_not_read_everything(database: Path, looked: list[object]) -> None:
    await filled(database)
    looked.clear()
    await opened_and_closed(database)
    await opened_and_closed(database)
    assert looked == []


async def test_a_reader_in_between_changes_nothing(database: Path, looked: list[object]) -> None:
    await filled(database)
    looked.clear()
    wholeness.check(database)
    await opened_and_closed(database)
    assert looked == []


async def test_after_an_end_that_was_not_in_order_a_start_reads_everything(
    database: Path, looked: list[object]
) -> None:
    await (await Store.open(database)).close(in_order=False)
    looked.clear()
    await opened_and_closed(database)
    assert len(looked) == 1


async def test_after_a_kill_a_start_reads_everything_and_goes_on(database: Path, looked: list[object]) -> None:
    killed(database)
    await opened_and_closed(database)
    assert len(looked) == 1 and state(database, 1) == "merging"


async def test_a_file_that_was_written_to_is_read(database: Path, looked: list[object]) -> None:
    await filled(database)
    looked.clear()
    os.utime(database, (1, 1))
    await opened_and_closed(database)
    assert len(looked) == 1


def flip(database: Path) -> None:
    content = bytearray(database.read_bytes())
    for at in range(len(content) // 3, len(content) // 3 + 20_000):
        content[at] ^= 0xFF
    database.write_bytes(content)


def truncate(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


@pytest.mark.parametrize("harm", [flip, truncate])
async def test_damage_is_refused_left_alone_and_explained(database: Path, harm: object) -> None:
    await filled(database)
    harm(database)  # type: ignore[operator]
    before = database.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"is damaged .*move it aside \(`mkdir .*\.recover"):
            await Store.open(database)
    assert database.read_bytes() == before


async def test_damage_that_leaves_no_trace_is_found_by_the_daily_check(database: Path) -> None:
    await filled(database)
    facts = database.stat()
    flip(database)
    os.utime(database, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(StoreError, match="is damaged"):
        wholeness.check(database)


async def remedy(database: Path) -> list[str]:
    """The commands that the refusal of a damaged database names."""
    await filled(database)
    damage_a_leaf(database)
    with pytest.raises(StoreError) as caught:
        await Store.open(database)
    return str(caught.value).split("`")[1::2]


def damage_a_leaf(database: Path) -> None:
    """Overwrite the middle of a page that holds answers and nothing else."""
    text = b"answer in the middle"
    content = database.read_bytes()
    page = content.index(text) // 4096 * 4096
    database.write_bytes(content[:page] + b"\xff" * 4096 + content[page + 4096 :])


async def test_moved_aside_as_the_remedy_says_a_new_one_begins(database: Path) -> None:
    aside, _ = await remedy(database)
    subprocess.run(["sh", "-c", aside], check=True)
    await opened_and_closed(database)
    assert rows(database, "SELECT 1 FROM answers") == []
    assert (database.parent / "damaged" / "vlmd.db").exists()


async def test_recovered_as_the_remedy_says_most_of_it_is_there(database: Path, tmp_path: Path) -> None:
    healthy = tmp_path / "healthy.db"
    sqlite3.connect(healthy).execute("CREATE TABLE t (x)").connection.close()
    program = ["sqlite3", str(healthy), ".recover"]
    if shutil.which("sqlite3") is None or b"CREATE TABLE" not in subprocess.run(program, capture_output=True).stdout:
        pytest.skip("there is no sqlite3 program whose .recover works")
    aside, recover = await remedy(database)
    for command in (aside, recover):
        subprocess.run(["sh", "-c", command], check=True, timeout=60)
    await opened_and_closed(database)
    assert rows(database, "PRAGMA quick_check") == [{"quick_check": "ok"}]
    assert 0 < len(rows(database, "SELECT 1 FROM answers")) < WINDOWS


async def test_a_stale_index_of_the_log_is_made_anew(database: Path) -> None:
    killed(database)
    database.with_name("vlmd.db-shm").write_bytes(os.urandom(32768))
    await opened_and_closed(database)
    assert len(rows(database, "SELECT 1 FROM answers")) == WINDOWS


async def test_without_its_log_a_database_opens_whole_or_is_refused(database: Path) -> None:
    """What was only in the log is gone with it; what is left must still make sense."""
    killed(database)
    database.with_name("vlmd.db-wal").unlink()
    try:
        await opened_and_closed(database)
    except StoreError as error:
        assert "is damaged" in str(error)
    else:
        assert rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert rows(database, "PRAGMA foreign_key_check") == []


def test_a_kill_in_the_middle_of_a_migration_leaves_it_as_it_was(tmp_path: Path) -> None:
    path, endless = tmp_path / "vlmd.db", tmp_path / "begun"
    schema.migrate(path)
    newest = schema.migrations()[-1][0]
    code = f"""
import pathlib, sqlite3, sys
from vlmd.store import schema
real = sqlite3.connect
def connect(*arguments, **options):
    connection = real(*arguments, **options)
    connection.create_function("told", 0, lambda: pathlib.Path({str(endless)!r}).touch())
    return connection
schema.sqlite3.connect = connect
known = schema.migrations()
slow = ("CREATE TABLE more (x); INSERT INTO more SELECT told();"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO more SELECT i FROM n;")
schema.migrations = lambda: [*known, ({newest + 1}, slow)]
schema.migrate(pathlib.Path({str(path)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as migrating:
        while not endless.exists():
            assert migrating.poll() is None
        migrating.kill()
    schema.migrate(path)
    assert rows(path, "PRAGMA user_version") == [{"user_version": newest}]
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'more'") == []
    backup = sqlite3.connect(path.with_name(f"vlmd.db.before-{newest + 1}"))
    assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    backup.close()


def test_migrations_may_come_with_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two branches that grew beside each other: the version is the highest number, not how many there are."""
    known = schema.migrations()
    newest = known[-1][0]
    monkeypatch.setattr(schema, "migrations", lambda: [*known, (newest + 5, "CREATE TABLE a (x);")])
    schema.migrate(tmp_path / "db")
    assert rows(tmp_path / "db", "PRAGMA user_version") == [{"user_version": newest + 5}]
    asyncio.run(opened_and_closed(tmp_path / "db"))
