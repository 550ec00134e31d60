"""Notices are written with the change they tell of, only of what somebody wants to hear, and are gone once told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.making import STOPPED, answered, planned, rows
from vlmd.core.errors import Code, Failure
from vlmd.core.inputs import Outcome
from vlmd.store import Store, jobs, notices

BROKEN = Failure(Code.UNDECODABLE, "no picture")


async def done(store: Store, job: int, at: int) -> None:
    await answered(store, job)
    await store.write(jobs.merged, job, "{}", Outcome(), at)


async def ended_jobs(store: Store) -> None:
    """One each that is done, failed, quarantined and cancelled."""
    await done(store, await planned(store, "a", "a"), 10)
    await store.write(jobs.fail, await planned(store, "b", "b"), BROKEN, 20)
    job = await planned(store, "c", "c")
    await store.write(jobs.replan, job, 29)
    await store.write(jobs.fail, job, BROKEN, 30, "quarantined")
    await store.write(jobs.fail, await planned(store, "d", "d"), STOPPED, 40, "cancelled")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ([], []),
        (["done"], [(1, "done", 10)]),
        (["failed"], [(2, "failed", 20), (3, "quarantined", 30)]),
        (["done", "failed"], [(1, "done", 10), (2, "failed", 20), (3, "quarantined", 30)]),
    ],
)
async def test_only_what_is_wanted_is_noticed(store: Store, wanted: list[str], told: list[tuple[object, ...]]) -> None:
    await store.write(notices.want, wanted, 0)
    await ended_jobs(store)
    waiting = await store.write(notices.waiting, 10)
    assert [(notice.job_id, notice.state, notice.at) for notice in waiting] == told
    assert len({notice.delivery for notice in waiting}) == len(told)


async def test_what_nobody_wants_any_more_is_dropped(store: Store) -> None:
    await store.write(notices.want, ["done", "failed"], 0)
    await ended_jobs(store)
    await store.write(notices.want, ["done"], 50)
    assert [notice.event for notice in await store.write(notices.waiting, 10)] == ["done"]


async def test_a_job_that_is_done_again_is_told_again_under_another_name(store: Store) -> None:
    await store.write(notices.want, ["done"], 0)
    job = await planned(store)
    await done(store, job, 10)
    await store.write(jobs.remerge, job, 20)
    await store.write(jobs.merged, job, "{}", Outcome(), 30)
    first, second = await store.write(notices.waiting, 10)
    assert first.delivery != second.delivery


async def test_a_try_in_vain_is_kept_until_it_is_given_up_and_a_new_start_begins_anew(
    store: Store, database: Path
) -> None:
    await store.write(notices.want, ["done"], 0)
    await done(store, await planned(store), 10)
    (notice,) = await store.write(notices.waiting, 10)
    assert await store.write(notices.untried)
    await store.write(notices.failed, notice.id, "nobody listens", 99)
    (again,) = await store.write(notices.waiting, 10)
    assert (again.delivery, again.tries, again.due_at) == (notice.delivery, 1, 99)
    assert not await store.write(notices.untried)
    await store.write(notices.failed, notice.id, "nobody listens", None)
    assert await store.write(notices.waiting, 10) == []
    await store.write(notices.want, ["done"], 200)
    (anew,) = await store.write(notices.waiting, 10)
    assert (anew.delivery, anew.tries, anew.due_at) == (notice.delivery, 0, 200)
    await store.write(notices.delivered, notice.id)
    assert rows(database, "SELECT * FROM notices") == []
