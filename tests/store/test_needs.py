"""Needs: who waits for whom, and what becomes of the one when the other ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.making import LOST, OTHER_RECIPE, STOPPED, answered, leased, new_job, plan, rows, state
from vlmd.core.inputs import Outcome
from vlmd.store import Store, files, jobs, needs, retention

FIRST, SECOND = Outcome(text="red against blue"), Outcome(text="blue against red")


async def waiting(store: Store, path: str = "a.mkv") -> tuple[int, int]:
    """A job that waits for a job it needs."""
    job, _ = await store.write(files.register, new_job(path), 1)
    (needed,) = await store.write(needs.require, job, [needs.Want("match", None)], 2)
    assert await store.write(needs.wait, job, 3)
    return job, needed.id


async def done(store: Store, job: int, outcome: Outcome, **more: object) -> None:
    await store.write(jobs.plan, job, plan(**{"fingerprint": f"video {job}"} | more), 4)
    await answered(store, job, recipe=more.get("recipe", plan().recipe))
    assert await store.write(jobs.merged, job, "{}", outcome, 9)


async def test_what_is_needed_is_made_once_and_waited_for(store: Store, database: Path) -> None:
    job, needed = await waiting(store)
    assert rows(database, "SELECT pipeline, base, file_id FROM jobs WHERE id = ?", needed) == [
        {"pipeline": "match", "base": "match/a.mkv", "file_id": 1}]  # fmt: skip
    assert state(database, job) == "waiting"
    await done(store, needed, FIRST)
    assert state(database, job) == "indexing"
    (again,) = await store.write(needs.require, job, [needs.Want("match", None)], 10)
    assert (again.id, again.outcome) == (needed, FIRST)
    assert not await store.write(needs.wait, job, 11), "there is nothing to wait for"


@pytest.mark.parametrize(("failure", "end"), [(LOST, "failed"), (STOPPED, "cancelled")])
async def test_a_need_that_ends_without_a_result_takes_along_who_waits_and_brings_it_back(
    store: Store, database: Path, failure: object, end: str
) -> None:
    job, needed = await waiting(store)
    await store.write(jobs.fail, needed, failure, 5, end)
    (told,) = rows(database, "SELECT state, code, reason FROM jobs WHERE id = ?", job)
    assert (told["state"], told["code"]) == ("failed", "need-failed")
    assert told["reason"].startswith(f"it needs match, whose job {needed} has {end}: ")
    assert await store.write(jobs.retry, needed, False, 6)
    await done(store, needed, FIRST)
    assert state(database, job) == "indexing"


async def test_a_job_is_asked_anew_only_where_what_it_needs_has_changed(store: Store, database: Path) -> None:
    job, needed = await waiting(store)
    await done(store, needed, FIRST)
    await done(store, job, Outcome())
    for outcome, expected in ((FIRST, "done"), (SECOND, "indexing")):
        assert await store.write(jobs.retry, needed, True, 20)
        await done(store, needed, outcome)
        assert state(database, job) == expected
    await store.write(jobs.plan, job, plan(recipe=OTHER_RECIPE), 30)
    lease = await leased(store, job)
    assert await store.write(jobs.retry, needed, True, 31)
    await done(store, needed, FIRST)
    assert state(database, job) == "indexing"
    assert rows(database, "SELECT count(*) AS held FROM windows WHERE lease = ?", lease.id) == [{"held": 0}]


async def test_a_file_that_changes_voids_a_job_and_what_it_needs_in_any_order(store: Store, database: Path) -> None:
    first, _ = await store.write(files.register, new_job(pipeline="match", base="match/a.mkv"), 1)
    job, needed = await waiting(store)
    assert needed == first < job
    changed = new_job()
    await store.write(files.register, replace(changed, file=new_job(content=1).file), 5)
    assert {state(database, job), state(database, needed)} == {"cancelled"}


async def test_a_job_that_is_forgotten_takes_its_needs_along(store: Store, database: Path) -> None:
    job, needed = await waiting(store)
    await store.write(jobs.fail, job, STOPPED, 5, "cancelled")
    assert await store.write(retention.drop_job, job, 100) is not None
    assert rows(database, "SELECT * FROM needs") == [] and state(database, needed) == "indexing"


async def test_a_twin_does_not_wait_for_what_a_job_will_not_ask_any_more(store: Store, database: Path) -> None:
    """Two files of one content; what one of them needs is found anew, so the other has to ask by itself."""
    wants = [needs.Want("context", None), needs.Want("other", None)]
    first, _ = await store.write(files.register, new_job("a.mkv"), 1)
    second, _ = await store.write(files.register, new_job("b.mkv"), 1)
    needed = {}
    for job in (first, second):
        found = await store.write(needs.require, job, wants, 2)
        needed[job] = [one.id for one in found]
        assert await store.write(needs.wait, job, 3)
    for job in (first, second):
        for one in needed[job]:
            await done(store, one, FIRST)
    for job in (first, second):
        await store.write(jobs.plan, job, plan("same", recipe=OTHER_RECIPE), 10)
    assert state(database, second) == "waiting"
    for one in needed[first]:
        assert await store.write(jobs.retry, one, True, 11)
    await done(store, needed[first][0], SECOND)
    await store.write(needs.require, first, wants, 12)
    assert await store.write(needs.wait, first, 13)
    assert state(database, second) == "indexing", "it looks again at what is left to ask"
