"""Leases, answers and failures of windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.store.making import DEGRADED, LOST, RECIPE, STOPPED, answered, delivery, leased, planned, rows, state
from vlmd.core.errors import Code, Failure
from vlmd.core.inputs import Outcome
from vlmd.store import Store, jobs, reader, windows

LIMIT = 3


def states(database: Path, job: int) -> str:
    """The states of a job's windows, by their first letters."""
    return "".join(
        row["state"][0] for row in rows(database, "SELECT state FROM windows WHERE job_id = ? ORDER BY idx", job)
    )


async def test_leases_are_runs_in_order_that_no_two_workers_share(store: Store, database: Path) -> None:
    job = await planned(store, count=5)
    first, second = await leased(store, job, 2), await leased(store, job, 2, "cpu:1")
    assert [[w.index for w in lease.windows] for lease in (first, second)] == [[0, 1], [2, 3]]
    assert (first.job, first.recipe, first.facts.fingerprint) == (job, RECIPE, "video")
    assert [w.index for w in (await leased(store, job, 2)).windows] == [4]
    assert await store.write(windows.lease, job, "cpu:0", 2, 3) is None
    assert state(database, job) == "running"


async def test_the_last_answer_sends_the_job_to_be_merged(store: Store, database: Path) -> None:
    job = await planned(store, count=2)
    lease = await leased(store, job)
    await store.write(windows.checkpoint, [delivery(lease.id, 1, "late goal")], 4)
    assert (state(database, job), states(database, job)) == ("running", "la")
    await store.write(windows.checkpoint, [delivery(lease.id, 0)], 4)
    assert (state(database, job), states(database, job)) == ("merging", "aa")
    with reader.snapshot(database) as db:
        answers = [window.answer for window in reader.windows(db, job)]
    assert [answer and answer.text for answer in answers] == ["None", "late goal"]
    assert answers[1] is not None and answers[1].frame_times_ms == [1000, 1200, 1400, 1600, 1800]


async def test_a_late_answer_changes_nothing(store: Store, database: Path) -> None:
    job = await planned(store)
    old = await leased(store, job, 2)
    await store.write(windows.release, [old.id], [], LOST, LIMIT, 4)
    await leased(store, job, 2)
    before = rows(database, "SELECT * FROM windows")
    assert await store.write(windows.checkpoint, [delivery(old.id, 0)], 5) == ([], [])
    assert not await store.write(windows.fail, old.id, 0, LOST, True, LIMIT, 5)
    await store.write(windows.release, [old.id], [(old.id, 1)], LOST, LIMIT, 5)
    assert rows(database, "SELECT * FROM windows") == before
    assert rows(database, "SELECT * FROM answers") == []


async def test_an_answer_given_twice_counts_once(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store))
    twice = [delivery(lease.id, 0, "first"), delivery(lease.id, 0, "second")]
    told = replace(twice[0], job=lease.job, since_lease_ms=1)
    assert await store.write(windows.checkpoint, twice, 4) == ([told], [])
    assert await store.write(windows.checkpoint, twice[1:], 5) == ([], [])
    assert [row["text"] for row in rows(database, "SELECT text FROM answers")] == ["first"]


@pytest.mark.parametrize("pts", [[], [1000], [0, 0], [400, 200], [0, 200, 400, 600, 800, 1000]])
async def test_an_answer_about_other_pictures_is_not_taken(store: Store, database: Path, pts: list[int]) -> None:
    lease = await leased(store, await planned(store))
    wrong, right = delivery(lease.id, 0, pts=pts), delivery(lease.id, 1)
    accepted, refused = await store.write(windows.checkpoint, [wrong, right], 4)
    assert [one.answer for one in accepted] == [right.answer]
    assert [(one.answer, failure.code) for one, failure in refused] == [(wrong.answer, Code.WRONG_FRAMES)]
    assert states(database, lease.job) == "lall"


async def test_pictures_that_could_not_be_decoded_may_be_missing(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store))
    await store.write(windows.checkpoint, [delivery(lease.id, 0, pts=[0, 400])], 4)
    (answer,) = rows(database, "SELECT frame_times_ms, frames_asked FROM answers")
    assert answer == {"frame_times_ms": "[0,400]", "frames_asked": 5}


async def test_an_answer_under_less_than_asked_carries_its_own_recipe(store: Store, database: Path) -> None:
    await answered(store, await planned(store), recipe=DEGRADED)
    (answer,) = rows(database, "SELECT DISTINCT asked, actual FROM answers")
    assert answer == {"asked": RECIPE.digest(), "actual": DEGRADED.digest()}


async def test_a_window_fails_for_good_at_the_limit_and_the_job_goes_on(store: Store, database: Path) -> None:
    job = await planned(store, count=2)
    for _ in range(LIMIT):
        lease = await leased(store, job, 1)
        assert [window.index for window in lease.windows] == [0]
        await store.write(windows.fail, lease.id, 0, LOST, True, LIMIT, 4)
    assert states(database, job) == "fq"
    await answered(store, job)
    (row,) = rows(database, "SELECT state, answered, failed FROM jobs")
    assert row == {"state": "merging", "answered": 1, "failed": 1}


async def test_what_would_fail_again_the_same_way_fails_at_once(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store, count=1))
    failure = Failure(Code.NON_FINITE, "NaN")
    await store.write(windows.fail, lease.id, 0, failure, False, LIMIT, 4)
    (row,) = rows(database, "SELECT state, code, reason, failures FROM windows")
    assert row == {"state": "failed", "code": "non-finite", "reason": "NaN", "failures": 1}
    assert state(database, lease.job) == "merging"


async def test_of_a_lost_workers_windows_only_those_begun_count_a_failure(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store))
    await store.write(windows.release, [lease.id], [(lease.id, 1)], LOST, LIMIT, 4)
    assert [row["failures"] for row in rows(database, "SELECT failures FROM windows ORDER BY idx")] == [0, 1, 0, 0]
    assert states(database, lease.job) == "qqqq"


async def test_a_suspect_is_leased_alone(store: Store) -> None:
    lease = await leased(store, await planned(store, count=6))
    await store.write(windows.release, [lease.id], [(lease.id, 2), (lease.id, 3)], LOST, LIMIT, 4)
    runs = [[window.index for window in (await leased(store, lease.job)).windows] for _ in range(4)]
    assert runs == [[0, 1], [2], [3], [4, 5]]


async def test_after_a_crash_nobody_holds_a_lease_and_nothing_counts_as_a_failure(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store), 3)
    await store.write(windows.checkpoint, [delivery(lease.id, 0)], 4)
    assert await store.write(windows.recover, 5) == 2
    assert states(database, lease.job) == "aqqq"
    assert {row["failures"] for row in rows(database, "SELECT failures FROM windows")} == {0}
    assert await store.write(windows.checkpoint, [delivery(lease.id, 1)], 6) == ([], [])


async def test_open_jobs_come_first_things_first_with_what_is_left_of_them(store: Store) -> None:
    ids = [await planned(store, f"{n}.mkv", fingerprint=f"{n}", keyframes=n == 2) for n in range(4)]
    await leased(store, ids[1], 3)
    await leased(store, ids[3])
    await store.write(jobs.hurry, ids[2])
    opened = await store.write(windows.open_jobs)
    assert [(job.id, job.pending, job.from_start) for job in opened] == [
        (ids[2], 4, False),
        (ids[0], 4, True),
        (ids[1], 1, True),
    ]
    assert await store.write(windows.job_of, 1) == ids[1] and await store.write(windows.job_of, 99) is None


async def test_every_change_of_state_is_written_down(store: Store, database: Path) -> None:
    job = await planned(store, count=1)
    lease = await leased(store, job)
    await store.write(windows.fail, lease.id, 0, LOST, True, LIMIT, 4)
    await answered(store, job)
    await store.write(jobs.merged, job, "{}", Outcome(), 5)
    history = rows(database, "SELECT entity, old, new, code FROM transitions ORDER BY id")
    assert [tuple(row.values()) for row in history] == [
        ("file", None, "registered", None),
        ("job", None, "indexing", None),
        ("job", "indexing", "queued", None),
        ("window", "queued", "leased", None),
        ("job", "queued", "running", None),
        ("window", "leased", "queued", "worker-lost"),
        ("window", "queued", "leased", "worker-lost"),
        ("window", "leased", "answered", None),
        ("job", "running", "merging", None),
        ("job", "merging", "done", None),
    ]


async def test_the_pictures_of_a_lease_fit_in_the_memory_allowed(store: Store) -> None:
    """5 pictures of 64 x 36 a window; whatever is allowed, one window is given."""
    job = await planned(store, count=6)
    picture = 3 * 64 * 36
    lease = await store.write(windows.lease, job, "cpu:0", 100, 3, True, 10 * picture)
    assert lease is not None and [window.index for window in lease.windows] == [0, 1]
    lease = await store.write(windows.lease, job, "cpu:0", 100, 3, True, 1)
    assert lease is not None and [window.index for window in lease.windows] == [2]


async def test_a_lease_that_holds_nothing_any_more_speaks_for_no_job(store: Store) -> None:
    job = await planned(store)
    lease = await leased(store, job)
    assert await store.write(windows.job_of, lease.id) == job
    await store.write(jobs.fail, job, STOPPED, 5, "cancelled")
    assert await store.write(windows.job_of, lease.id) is None
