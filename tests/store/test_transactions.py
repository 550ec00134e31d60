"""One writer, one transaction at a time, whoever is cancelled and whatever fails."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
from pathlib import Path

import aiosqlite
import pytest

from tests.store.making import delivery, leased, planned, rows, state
from vlmd.core.errors import StoreError
from vlmd.store import Store, reader, windows
from vlmd.supervisor.fleet.checkpoints import Checkpoints


class Pairs:
    """A verb that writes two rows with pauses around them, and sees whether it is alone."""

    def __init__(self) -> None:
        self.inside = 0

    async def __call__(self, db: aiosqlite.Connection, name: str, fail: bool = False) -> str:
        self.inside += 1
        assert self.inside == 1
        try:
            for half in ("left", "right"):
                await db.execute("INSERT INTO recipes VALUES (?, ?)", (f"{name}-{half}", name))
                await asyncio.sleep(0)
            if fail:
                raise LookupError(name)
        finally:
            self.inside -= 1
        return name


def names(database: Path) -> dict[str, int]:
    counted = rows(database, "SELECT body, count(*) AS halves FROM recipes GROUP BY body")
    return {row["body"]: row["halves"] for row in counted}


async def test_coroutines_never_share_a_transaction(store: Store, database: Path) -> None:
    pairs = Pairs()
    done = await asyncio.gather(
        *(store.write(pairs, str(n), fail=n % 3 == 0) for n in range(60)), return_exceptions=True
    )
    assert all(isinstance(result, LookupError) == (n % 3 == 0) for n, result in enumerate(done))
    assert names(database) == {str(n): 2 for n in range(60) if n % 3}


@pytest.mark.parametrize("seed", range(5))
async def test_cancelling_a_caller_never_reaches_into_a_transaction(store: Store, database: Path, seed: int) -> None:
    dice, pairs, acknowledged = random.Random(seed), Pairs(), []

    async def caller(name: str) -> None:
        acknowledged.append(await store.write(pairs, name))

    tasks = [asyncio.create_task(caller(str(n))) for n in range(60)]
    while not all(task.done() for task in tasks):
        dice.choice(tasks).cancel()
        await asyncio.sleep(dice.choice([0, 0, 0.001]))
    await store.write(pairs, "after")
    kept = names(database)
    assert set(kept.values()) == {2}
    assert kept.keys() >= {*acknowledged, "after"}


async def test_a_transaction_that_has_begun_is_finished_although_nobody_waits_for_it(
    store: Store, database: Path
) -> None:
    pairs = Pairs()
    caller = asyncio.create_task(store.write(pairs, "begun"))
    while not pairs.inside:
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await store.write(pairs, "next")
    assert caller.cancelled() and names(database) == {"begun": 2, "next": 2}


async def test_a_verb_that_fails_leaves_nothing_behind(store: Store, database: Path) -> None:
    with pytest.raises(LookupError):
        await store.write(Pairs(), "nothing", fail=True)
    assert names(database) == {}
    assert await store.write(Pairs(), "next") == "next"


async def test_what_is_in_hand_is_finished_before_the_store_closes(database: Path) -> None:
    store = await Store.open(database)
    writing = asyncio.create_task(store.write(Pairs(), "last"))
    while not store._busy.locked():
        await asyncio.sleep(0)
    await store.close()
    assert await writing == "last" and names(database) == {"last": 2}


async def test_a_second_daemon_is_refused_while_the_first_one_runs(store: Store, database: Path) -> None:
    with pytest.raises(StoreError, match="another vlmd already runs"):
        await Store.open(database)
    code = "import asyncio, pathlib, sys, vlmd.store as s; asyncio.run(s.Store.open(pathlib.Path(sys.argv[1])))"
    other = subprocess.run([sys.executable, "-c", code, database], capture_output=True, text=True, check=False)
    assert other.returncode != 0 and "another vlmd already runs" in other.stderr


async def test_a_store_that_was_closed_can_be_opened_again(database: Path) -> None:
    for name in ("one", "two"):
        store = await Store.open(database)
        await store.write(Pairs(), name)
        await store.close()
    assert names(database) == {"one": 2, "two": 2}


async def test_the_safe_settings_are_in_force(store: Store) -> None:
    async def settings(db: aiosqlite.Connection) -> list[int]:
        values = []
        for name in ("synchronous", "foreign_keys"):
            async with db.execute(f"PRAGMA {name}") as cursor:
                values += [value for (value,) in await cursor.fetchall()]
        return values

    assert await store.write(settings) == [2, 1]


async def test_answers_that_arrive_together_share_a_commit(store: Store, database: Path) -> None:
    job = await planned(store, count=100)
    lease = await leased(store, job)
    statements: list[str] = []
    committed: list[int] = []

    async def trace(db: aiosqlite.Connection) -> None:
        await db.set_trace_callback(statements.append)

    await store.write(trace)
    statements.clear()
    checkpoints = Checkpoints(store, lambda batch: committed.append(len(batch)), failure_limit=3)
    for window in lease.windows:
        checkpoints.put(delivery(lease.id, window.index))
    writer = asyncio.create_task(checkpoints.run())
    await checkpoints.settled()
    writer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writer
    assert statements.count("COMMIT") == 1 and committed == [100]
    assert state(database, job) == "merging"


async def test_a_snapshot_stays_one_moment_while_others_write(store: Store, database: Path) -> None:
    job = await planned(store)
    lease = await leased(store, job)
    with reader.snapshot(database) as db:
        before = list(reader.windows(db, job))
        await store.write(windows.checkpoint, [delivery(lease.id, 0)], 5)
        assert list(reader.windows(db, job)) == before
    with reader.snapshot(database) as db:
        assert list(reader.windows(db, job)) != before


@pytest.mark.parametrize("folder", ["what?mode=rwc", "50% #1", "ä b"])
async def test_a_snapshot_finds_the_database_wherever_it_lies(tmp_path: Path, folder: str) -> None:
    store = await Store.open(tmp_path / folder / "vlmd.db")
    job = await planned(store)
    with reader.snapshot(tmp_path / folder / "vlmd.db") as db:
        assert len(list(reader.windows(db, job))) == 4
    await store.close()


def test_a_snapshot_of_nothing_says_so(database: Path) -> None:
    with pytest.raises(StoreError, match="no database"), reader.snapshot(database):
        pass


async def test_a_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StoreError, match=f"everybody may write to {tmp_path}.*chmod o-w"):
        await Store.open(tmp_path / "vlmd.db")
    assert not list(tmp_path.iterdir())
