"""A database that refuses: verbs wait for what passes, and nothing is run any more after what does not."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from tests.store.making import delivery, leased, new_job, planned, rows, state
from vlmd.core.errors import DiskError, Problem, Unwritable
from vlmd.store import Store, files, windows
from vlmd.store.refusals import refusal


async def set_pragma(db: aiosqlite.Connection, text: str) -> int:
    async with db.execute(f"PRAGMA {text}") as cursor:
        (value,) = await cursor.fetchone() or (0,)
    return int(value)


async def fill(store: Store) -> None:
    """As if the disk were full: the database may not grow by a page."""
    pages = await store.write(set_pragma, "page_count")
    await store.write(set_pragma, f"max_page_count = {pages}")


async def make_room(store: Store) -> None:
    await store.write(set_pragma, "max_page_count = 1000000")


async def problem_of(store: Store) -> Problem:
    async with asyncio.timeout(20):
        while store.problem is None:
            await asyncio.sleep(0.01)
    return store.problem


def mistake(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_X"
    return error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_what_passes_is_a_problem_with_a_remedy(code: int) -> None:
    problem = refusal(mistake(code), Path("/a.db"))
    assert isinstance(problem, Problem) and problem.what == "/a.db cannot be written" and problem.remedy


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_CORRUPT_INDEX,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY_DBMOVED,
    ],
)
def test_what_does_not_pass_ends_it(code: int) -> None:
    assert isinstance(refusal(mistake(code), Path("/a.db")), DiskError)


def test_memory_that_is_gone_ends_it_and_a_mistake_of_ours_is_no_refusal() -> None:
    assert isinstance(refusal(MemoryError(), Path("/a.db")), DiskError)
    assert refusal(mistake(sqlite3.SQLITE_CONSTRAINT_CHECK), Path("/a.db")) is None
    assert refusal(sqlite3.ProgrammingError("closed"), Path("/a.db")) is None


async def test_on_a_full_disk_a_verb_waits_and_is_run_again_as_a_whole(store: Store, database: Path) -> None:
    job = await planned(store, count=200)
    lease = await leased(store, job)
    given = [delivery(lease.id, window.index, "long " * 200) for window in lease.windows]
    await fill(store)
    writing = asyncio.create_task(store.write(windows.checkpoint, given, 4))
    problem = await problem_of(store)
    assert "the disk is full" in problem.reason and "make room" in problem.remedy
    assert rows(database, "SELECT count(*) AS n FROM answers") == [{"n": 0}], "nothing by halves"
    assert await store.write(windows.open_jobs), "what only reads goes on"
    with pytest.raises(Unwritable, match="the disk is full"):
        await store.write_now(files.register, new_job("other.mkv"), 5)
    await make_room(store)
    accepted, _ = await writing
    assert len(accepted) == len(given) and store.problem is None
    assert rows(database, "SELECT count(*) AS n FROM answers") == [{"n": len(given)}]


async def test_several_wait_and_the_problem_stays_until_the_last_one_is_through(store: Store) -> None:
    await fill(store)
    names = [f"{n}.mkv" for n in range(60)]
    writing = [asyncio.create_task(store.write(files.register, new_job(name * 20), 1)) for name in names]
    await problem_of(store)
    await make_room(store)
    done = await asyncio.gather(*writing)
    assert len({job for job, _ in done}) == 60 and store.problem is None


async def test_locked_by_another_program_it_waits(store: Store, database: Path) -> None:
    await store.write(set_pragma, "busy_timeout = 20")
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(store.write(files.register, new_job(), 1))
    assert "another program" in (await problem_of(store)).reason
    other.execute("ROLLBACK")
    other.close()
    assert await writing == (1, [])
    assert state(database, 1) == "indexing"


async def test_who_waits_can_be_told_to_give_up(store: Store, database: Path) -> None:
    await fill(store)
    jobs = [new_job(f"{n}" * 200) for n in range(40)]
    writing = [asyncio.create_task(store.write(files.register, job, 1)) for job in jobs]
    await problem_of(store)
    store.give_up()
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Unwritable)]
    assert refused and store.problem is None
    assert rows(database, "SELECT count(*) AS n FROM jobs") == [{"n": len(jobs) - len(refused)}]


async def test_after_the_disk_failed_nothing_is_run_any_more(store: Store) -> None:
    async def fails(db: aiosqlite.Connection) -> None:
        raise mistake(sqlite3.SQLITE_IOERR_FSYNC)

    with pytest.raises(DiskError, match="the disk failed"):
        await store.write(fails)
    for run in (store.write, store.write_now):
        with pytest.raises(DiskError):
            await run(files.register, new_job(), 1)
