"""What is kept long enough goes; what anybody needs stays; what was expected to go is what goes."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from msgspec.structs import astuple, replace

from tests.store.making import OTHER_RECIPE, STOPPED, answered, delivery, leased, new_job, plan, planned, rows, state
from vlmd.config import parse_settings
from vlmd.core.inputs import Outcome
from vlmd.core.retention import DAY_MS, NEVER, Cutoffs, clock_is_steady, cutoffs
from vlmd.store import Store, files, jobs, reader, retention, windows
from vlmd.store.retention import Forgotten
from vlmd.store.sweep import Sweep, expected

LATER = Cutoffs(history=1000, jobs=1000, answers=1000, backups=1000)
"""Everything in these tests happened before."""


async def done(store: Store, **more: object) -> int:
    job = await planned(store, **more)  # type: ignore[arg-type]
    await answered(store, job)
    assert await store.write(jobs.merged, job, "{}", Outcome(), 5)
    return job


async def swept(store: Store, database: Path, limits: Cutoffs = LATER) -> Forgotten:
    """Sweep; what was expected has to be what goes."""
    promised = expected(database, limits)
    kept = await Sweep(store, database, limits, rest=False).run()
    assert astuple(replace(promised, bytes=0)) == astuple(replace(kept, bytes=0))
    assert rows(database, "PRAGMA foreign_key_check") == []
    return kept


def count(database: Path, table: str) -> int:
    number: int = rows(database, f"SELECT count(*) AS n FROM {table}")[0]["n"]
    return number


def test_days_become_moments() -> None:
    keep = parse_settings({"retention": {"answers_days": "forever", "history_days": 90}}).retention
    found = cutoffs(keep, 100 * DAY_MS)
    assert found == Cutoffs(history=70 * DAY_MS, jobs=70 * DAY_MS, answers=NEVER, backups=70 * DAY_MS)
    assert cutoffs(keep, 0) == Cutoffs(NEVER, NEVER, NEVER, NEVER)


def test_a_clock_that_was_set_is_noticed() -> None:
    assert clock_is_steady(600_000, 600.0)
    assert not clock_is_steady(600_000 + 10 * DAY_MS, 600.0)
    assert not clock_is_steady(-DAY_MS, 600.0)


async def test_everything_of_an_ended_job_goes(store: Store, database: Path) -> None:
    await done(store)
    assert await swept(store, database) == Forgotten(
        jobs=1, windows=4, history=14, leases=1, files=0, answers=4, bytes=0
    )
    assert {table: count(database, table) for table in ("jobs", "windows", "leases", "answers", "transitions")} == {
        "jobs": 0, "windows": 0, "leases": 0, "answers": 0, "transitions": 0
    }  # fmt: skip
    assert await swept(store, database) == Forgotten()


async def test_a_file_that_was_taken_is_remembered(store: Store, database: Path) -> None:
    """It still lies in the inbox: forgotten, it would be taken for new."""
    await done(store)
    known = await store.write(files.known)
    await swept(store, database)
    assert await store.write(files.known) == known and len(known) == 1


async def test_a_file_that_was_replaced_is_forgotten(store: Store, database: Path) -> None:
    await done(store)
    await store.write(files.register, new_job(content=1), 6)
    assert (await swept(store, database)).files == 1
    assert [row["mtime_ns"] for row in rows(database, "SELECT mtime_ns FROM files")] == [1]


@pytest.mark.parametrize("stage", ["indexing", "queued", "running", "merging"])
async def test_nothing_unfinished_goes(store: Store, database: Path, stage: str) -> None:
    job, _ = await store.write(files.register, new_job(), 1)
    if stage != "indexing":
        await store.write(jobs.plan, job, plan(), 2)
    if stage == "running":
        lease = await leased(store, job, 2)
        await store.write(windows.checkpoint, [delivery(lease.id, 0)], 4)
    if stage == "merging":
        await answered(store, job)
    before = {table: count(database, table) for table in ("jobs", "windows", "leases", "answers")}
    assert state(database, job) == stage
    await swept(store, database)
    assert {table: count(database, table) for table in before} == before


async def test_a_kept_job_can_be_merged_though_its_answers_are_old(store: Store, database: Path) -> None:
    job = await done(store)
    kept = await swept(store, database, replace(LATER, jobs=NEVER))
    assert (kept.jobs, kept.answers, kept.leases, kept.history) == (0, 0, 1, 9)
    assert await store.write(jobs.remerge, job, 2000)
    with reader.snapshot(database) as db:
        assert [window.answer is not None for window in reader.windows(db, job)] == [True] * 4
        assert [entry["new"] for entry in reader.transitions(db, job)][-2:] == ["done", "merging"]


async def test_answers_outlive_their_job_and_are_taken_over(store: Store, database: Path) -> None:
    await done(store)
    await swept(store, database, replace(LATER, answers=NEVER))
    assert (count(database, "jobs"), count(database, "answers")) == (0, 4)
    again = await planned(store, path="b.mkv")
    assert state(database, again) == "merging" and count(database, "answers") == 4


@pytest.mark.parametrize("read", [False, True])
async def test_answers_that_an_unfinished_job_may_take_over_stay(store: Store, database: Path, read: bool) -> None:
    """Before its video was read, a job may want any; afterwards, all of its video, under whatever recipe."""
    await done(store)
    waiting, _ = await store.write(files.register, new_job("b.mkv"), 6)
    if read:
        await store.write(jobs.plan, waiting, plan(recipe=OTHER_RECIPE), 7)
        await store.write(jobs.replan, waiting, 8)
        await done(store, path="c.mkv", fingerprint="other")
    assert (await swept(store, database)).answers == (4 if read else 0)
    assert await store.write(jobs.plan, waiting, plan(), 2000) == "merging"


async def test_a_result_stays_its_own_when_its_job_is_forgotten(store: Store, database: Path) -> None:
    await done(store, base="p/same")
    cancelled = await planned(store, path="c.mkv", fingerprint="cancelled", base="p/unwritten")
    await store.write(jobs.fail, cancelled, STOPPED, 5, "cancelled")
    await swept(store, database)
    assert count(database, "jobs") == 0
    for base, expected_path in (("p/same", "p/same~new"), ("p/unwritten", "p/unwritten")):
        job = await planned(store, path=base, fingerprint="new", base=base)
        assert rows(database, "SELECT result FROM jobs WHERE id = ?", job) == [{"result": expected_path}]
        await store.write(jobs.fail, job, STOPPED, 6)
    same = await planned(store, path="d.mkv", base="p/same")
    assert rows(database, "SELECT result FROM jobs WHERE id = ?", same) == [{"result": "p/same"}]


async def test_numbers_are_never_used_again(store: Store, database: Path) -> None:
    job = await done(store)
    lease = rows(database, "SELECT max(id) AS id FROM leases")[0]["id"]
    await swept(store, database)
    assert await planned(store) == job + 1
    assert (await leased(store, job + 1)).id == lease + 1


async def test_a_job_taken_up_again_since_it_was_found_stays(store: Store, database: Path) -> None:
    job = await done(store)
    assert await store.write(jobs.retry, job, False, 6)
    assert await store.write(retention.drop_job, job, 1000) is None
    assert await store.write(retention.drop_history, job, 1000) == (0, 0)
    ids = [row["id"] for row in rows(database, "SELECT id FROM answers")]
    assert await store.write(retention.drop_answers, ids) == 0
    assert await store.write(retention.drop_files, [1]) == 0


async def test_a_job_that_is_half_forgotten_is_not_merged_but_can_be_taken_up_again(
    store: Store, database: Path
) -> None:
    job = await done(store, count=retention.ROWS + 4)
    assert await store.write(retention.drop_windows, job, 1000) == retention.ROWS
    assert rows(database, "SELECT total, answered FROM jobs") == [{"total": 4, "answered": 4}]
    assert not await store.write(jobs.remerge, job, 2000)
    assert await store.write(jobs.retry, job, False, 2000)
    assert await store.write(jobs.plan, job, plan(count=retention.ROWS + 4), 2001) == "merging"
    assert count(database, "windows") == retention.ROWS + 4


async def test_backups_of_updates_go_and_nothing_else_beside_the_database(store: Store, database: Path) -> None:
    names = ["vlmd.db.before-2", "vlmd.db.before-4", "vlmd.db.before-x", "other.db.before-2", "vlmd.db.damaged"]
    for name in names:
        path = database.with_name(name)
        path.write_bytes(b"x" * 10)
        os.utime(path, (0, 0))
    os.utime(database.with_name("vlmd.db.before-4"), (5, 5))
    kept = await swept(store, database)
    assert (kept.backups, kept.bytes) == (1, 10)
    assert not database.with_name("vlmd.db.before-2").exists()
    assert all(database.with_name(name).exists() for name in names[1:])


async def test_many_windows_go_in_small_steps_while_others_write(store: Store, database: Path) -> None:
    await done(store, count=600)
    other = await planned(store, path="b.mkv", fingerprint="b", count=40)
    sweeping = asyncio.create_task(Sweep(store, database, LATER).run())
    turns = 0
    while not sweeping.done():
        lease = await store.write(windows.lease, other, "cpu:0", 1, 2000)
        turns += lease is not None
        await asyncio.sleep(0)
    assert (await sweeping).windows == 600
    assert turns > 5


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happened_before(store: Store, database: Path, seed: int) -> None:
    """Random histories: what was expected goes, and every job that is kept is as it was."""
    dice = random.Random(seed)
    for number in range(12):
        job = await planned(store, path=f"{dice.randrange(6)}.mkv", content=dice.randrange(3),
                            fingerprint=f"v{dice.randrange(5)}", count=dice.randint(1, 6))  # fmt: skip
        fate = dice.choice(["left", "begun", "done", "cancelled", "again"])
        if fate in ("done", "again") and state(database, job) in ("queued", "running"):
            await answered(store, job, f"answer {number}")
        if fate != "left" and state(database, job) == "merging":
            await store.write(jobs.merged, job, "{}", Outcome(), dice.choice([10, 5000]))
        if fate == "begun" and state(database, job) == "queued":
            await leased(store, job, 2)
        if fate == "cancelled":
            await store.write(jobs.fail, job, STOPPED, dice.choice([10, 5000]), "cancelled")
        if fate == "again" and state(database, job) == "done":
            await store.write(jobs.retry, job, dice.random() < 0.5, 20)
    limits = Cutoffs(history=1000, jobs=dice.choice([NEVER, 1000]), answers=dice.choice([NEVER, 1000]), backups=NEVER)
    await swept(store, database, limits)
    for row in rows(database, "SELECT id, total, answered, failed, leased FROM jobs"):
        held = rows(database, "SELECT state, count(*) AS n FROM windows WHERE job_id = ? GROUP BY state", row["id"])
        by_state = {entry["state"]: entry["n"] for entry in held}
        assert sum(by_state.values()) == row["total"]
        assert [by_state.get(name, 0) for name in ("answered", "failed", "leased")] == [
            row["answered"], row["failed"], row["leased"]
        ]  # fmt: skip
    if limits.jobs:
        assert not rows(database, "SELECT 1 FROM jobs WHERE finished_at < 1000 AND state IN ('done', 'cancelled')")
