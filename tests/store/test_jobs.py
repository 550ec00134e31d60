"""Files become jobs once; jobs are planned, wait for twins, take over answers, end and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.making import (
    DEGRADED,
    LOST,
    OTHER_RECIPE,
    STOPPED,
    answered,
    delivery,
    leased,
    new_job,
    plan,
    planned,
    rows,
    state,
)
from vlmd.core.errors import Code, Failure
from vlmd.core.inputs import Outcome
from vlmd.core.states import ENDED_JOBS
from vlmd.core.windows import SlidingPlan
from vlmd.store import Store, files, jobs, reader, windows


async def done(store: Store, path: str = "a.mkv", **more: object) -> int:
    job = await planned(store, path, **more)
    await answered(store, job, text=f"{path} said")
    assert await store.write(jobs.merged, job, "{}", Outcome(), 9)
    return job


def texts(database: Path, job: int) -> list[str | None]:
    with reader.snapshot(database) as db:
        return [window.answer and window.answer.text for window in reader.windows(db, job)]


# --- files -------------------------------------------------------------------------------------------------


def refusal(of: files.NewJob, why: Failure) -> files.Refusal:
    return files.Refusal(file=of.file, origin="inbox", failure=why)


async def test_a_file_has_one_job_for_each_pipeline(store: Store) -> None:
    ids = [(await store.write(files.register, new_job(pipeline=pipeline), 1))[0] for pipeline in "pqpq"]
    assert ids == [1, 2, 1, 2]


async def test_a_file_whose_job_has_ended_gets_a_new_one(store: Store, database: Path) -> None:
    first = await done(store)
    second, voided = await store.write(files.register, new_job(), 10)
    assert (second != first, voided) == (True, [])
    assert len(rows(database, "SELECT * FROM files")) == 1


async def test_content_that_changed_voids_the_unfinished_jobs_of_its_file(store: Store, database: Path) -> None:
    finished, running = await done(store), await planned(store, pipeline="q", recipe=OTHER_RECIPE)
    lease = await leased(store, running)
    job, voided = await store.write(files.register, new_job(content=1), 10)
    assert voided == [running]
    assert [state(database, one) for one in (finished, running, job)] == ["done", "cancelled", "indexing"]
    assert await store.write(windows.checkpoint, [delivery(lease.id, 0)], 11) == ([], [])
    assert (await store.write(files.known))[new_job().file.path] == new_job(content=1).file.identity


async def test_a_refused_file_is_known_and_its_earlier_jobs_are_void(store: Store, database: Path) -> None:
    job = await planned(store)
    failure = Failure(Code.EMPTY, "it holds no bytes")
    assert await store.write(files.refuse, refusal(new_job(content=1), failure), 5) == [job]
    assert state(database, job) == "cancelled"
    assert (await store.write(files.known))[new_job().file.path].mtime_ns == 1


async def test_refusals_are_forgotten_by_their_code(store: Store) -> None:
    for path, code in (("a", Code.EMPTY), ("b", Code.NO_PIPELINE)):
        await store.write(files.refuse, refusal(new_job(path), Failure(code, "no")), 5)
    await store.write(files.forget_refusals, [Code.NO_PIPELINE, Code.TOO_LARGE], 6)
    assert (await store.write(files.known)).keys() == {b"/inbox/a"}


# --- plans and twins ---------------------------------------------------------------------------------------


async def test_a_second_job_that_asks_the_same_waits_and_takes_over_the_answers(store: Store, database: Path) -> None:
    first, second = await planned(store, "a.mkv"), await planned(store, "b.mkv")
    assert state(database, second) == "waiting"
    await answered(store, first, "goal")
    await store.write(jobs.merged, first, "{}", Outcome(), 5)
    assert state(database, second) == "indexing"
    assert await store.write(jobs.plan, second, plan(), 6) == "merging"
    assert texts(database, second) == ["goal"] * 4
    assert rows(database, "SELECT reused FROM jobs ORDER BY id") == [{"reused": 0}, {"reused": 4}]


@pytest.mark.parametrize("end", ["cancelled", "failed", "replanned", "superseded"])
async def test_twins_wake_however_the_other_job_ends(store: Store, database: Path, end: str) -> None:
    first, second = await planned(store, "a.mkv"), await planned(store, "b.mkv")
    lease = await leased(store, first)
    await store.write(windows.checkpoint, [delivery(lease.id, 0, "kept")], 4)
    if end == "replanned":
        await store.write(jobs.replan, first, 5)
        await store.write(jobs.plan, first, plan(recipe=OTHER_RECIPE), 6)
    elif end == "superseded":
        await store.write(files.register, new_job(content=1), 5)
    else:
        await store.write(jobs.fail, first, STOPPED, 5, end)
    assert state(database, second) == "indexing"
    assert await store.write(jobs.plan, second, plan(), 7) == "queued"
    assert texts(database, second) == ["kept", None, None, None]


async def test_other_questions_about_the_same_video_do_not_wait_or_share(store: Store, database: Path) -> None:
    await done(store, "a.mkv")
    other = await planned(store, "b.mkv", recipe=OTHER_RECIPE)
    assert (state(database, other), texts(database, other)) == ("queued", [None] * 4)


async def test_an_answer_given_under_less_than_asked_is_never_taken_over(store: Store, database: Path) -> None:
    first = await planned(store, "a.mkv")
    await answered(store, first, recipe=DEGRADED)
    await store.write(jobs.merged, first, "{}", Outcome(), 5)
    assert texts(database, await planned(store, "b.mkv")) == [None] * 4


async def test_a_retry_keeps_what_is_valid_and_a_fresh_one_asks_everything_again(store: Store, database: Path) -> None:
    job = await done(store)
    assert await store.write(jobs.retry, job, False, 10)
    assert await store.write(jobs.plan, job, plan(), 11) == "merging"
    await store.write(jobs.merged, job, "{}", Outcome(), 12)
    assert await store.write(jobs.retry, job, True, 13)
    assert await store.write(jobs.plan, job, plan(), 14) == "queued"
    assert texts(database, job) == [None] * 4
    assert len(rows(database, "SELECT * FROM answers")) == 4


async def test_a_fresh_retry_stays_fresh_while_it_waits_for_a_twin(store: Store, database: Path) -> None:
    job = await done(store, "a.mkv")
    assert await store.write(jobs.retry, job, True, 10)
    twin = await planned(store, "b.mkv")
    assert await store.write(jobs.plan, job, plan(), 11) == "waiting"
    await store.write(jobs.fail, twin, STOPPED, 12, "cancelled")
    assert await store.write(jobs.plan, job, plan(), 13) == "queued"
    assert texts(database, job) == [None] * 4


async def test_of_several_answers_the_newest_is_taken(store: Store, database: Path) -> None:
    job = await done(store)
    await store.write(jobs.retry, job, True, 10)
    await store.write(jobs.plan, job, plan(), 11)
    await answered(store, job, "newer")
    assert texts(database, await planned(store, "b.mkv", fingerprint="other")) == [None] * 4
    await store.write(jobs.merged, job, "{}", Outcome(), 12)
    assert texts(database, await planned(store, "c.mkv")) == ["newer"] * 4


async def test_a_job_that_ended_while_it_was_indexed_is_not_planned(store: Store, database: Path) -> None:
    job, _ = await store.write(files.register, new_job(), 1)
    await store.write(jobs.fail, job, STOPPED, 2, "cancelled")
    assert await store.write(jobs.plan, job, plan(), 3) is None
    assert rows(database, "SELECT * FROM windows") == []


async def test_a_plan_that_changed_replaces_the_windows_and_fences_the_old_leases(store: Store, database: Path) -> None:
    job = await planned(store, count=4)
    lease = await leased(store, job)
    await store.write(jobs.replan, job, 5)
    await store.write(jobs.plan, job, plan(count=2), 6)
    assert await store.write(windows.checkpoint, [delivery(lease.id, 0)], 7) == ([], [])
    assert rows(database, "SELECT total, leased, answered FROM jobs") == [{"total": 2, "leased": 0, "answered": 0}]


# --- results -----------------------------------------------------------------------------------------------


async def test_two_videos_never_claim_the_same_result(store: Store, database: Path) -> None:
    for path, fingerprint in (("a.mkv", "1" * 64), ("b.mkv", "2" * 64), ("c.mkv", "1" * 64)):
        await planned(store, path, fingerprint=fingerprint, base="p/match.mkv")
    results = [row["result"] for row in rows(database, "SELECT result FROM jobs ORDER BY id")]
    assert results == ["p/match.mkv", "p/match.mkv~222222222222", "p/match.mkv"]


async def test_a_result_is_claimed_even_after_its_file_has_changed(store: Store, database: Path) -> None:
    await done(store, fingerprint="1" * 64)
    await planned(store, fingerprint="2" * 64, content=1)
    assert rows(database, "SELECT result FROM jobs WHERE id = 2") == [{"result": "p/a.mkv~222222222222"}]


async def test_only_a_job_without_a_result_has_its_file_checked_before_merging(store: Store) -> None:
    job = await done(store)
    assert await store.write(jobs.remerge, job, 10)
    (again,) = await store.write(jobs.merging)
    assert (again.id, again.result, again.check_file) == (job, "p/a.mkv", False)
    other = await planned(store, "b.mkv", fingerprint="other")
    await answered(store, other)
    assert [one.check_file for one in await store.write(jobs.merging)] == [False, True]


async def test_what_is_not_answered_cannot_be_merged_again(store: Store) -> None:
    job = await planned(store)
    assert not await store.write(jobs.remerge, job, 5)
    await store.write(jobs.fail, job, LOST, 6)
    assert not await store.write(jobs.remerge, job, 7)
    assert not await store.write(jobs.merged, job, "{}", Outcome(), 8)


# --- ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", ENDED_JOBS)
async def test_a_job_that_has_ended_ends_only_once_and_can_be_retried(store: Store, database: Path, ended: str) -> None:
    if ended == "done":
        job = await done(store)
    else:
        job, _ = await store.write(files.register, new_job(), 1)
        assert await store.write(jobs.fail, job, LOST, 2, ended)
    assert not await store.write(jobs.fail, job, STOPPED, 3, "cancelled")
    assert state(database, job) == ended
    assert await store.write(jobs.retry, job, False, 4)
    assert not await store.write(jobs.retry, job, False, 5)
    (row,) = rows(database, "SELECT state, code, reason, finished_at FROM jobs")
    assert row == {"state": "indexing", "code": None, "reason": None, "finished_at": None}


async def test_a_cancelled_job_is_left_by_its_workers_and_keeps_its_answers(store: Store, database: Path) -> None:
    lease = await leased(store, await planned(store))
    await store.write(windows.checkpoint, [delivery(lease.id, 0, "kept")], 4)
    await store.write(jobs.fail, lease.job, STOPPED, 5, "cancelled")
    assert await store.write(windows.checkpoint, [delivery(lease.id, 1)], 6) == ([], [])
    assert await store.write(windows.lease, lease.job, "cpu:0", 4, 6) is None
    await store.write(jobs.retry, lease.job, False, 7)
    await store.write(jobs.plan, lease.job, plan(), 8)
    assert texts(database, lease.job) == ["kept", None, None, None]


async def test_whoever_hurries_last_comes_first(store: Store) -> None:
    ids = [(await store.write(files.register, new_job(f"{n}"), 1))[0] for n in range(4)]
    for job in (ids[2], ids[3], ids[2]):
        await store.write(jobs.hurry, job)
    assert [job.id for job in await store.write(jobs.indexing)] == [ids[2], ids[3], ids[0], ids[1]]


async def test_all_has_ended_when_no_job_has_anything_left_to_do(store: Store) -> None:
    assert await store.write(windows.all_ended)
    job = await planned(store)
    assert not await store.write(windows.all_ended)
    await answered(store, job)
    assert not await store.write(windows.all_ended)
    await store.write(jobs.merged, job, "{}", Outcome(), 5)
    assert await store.write(windows.all_ended)


async def test_jobs_with_the_same_result_are_merged_one_after_the_other(store: Store) -> None:
    first = await planned(store, "a.mkv", base="p/a")
    await answered(store, first)
    await store.write(jobs.merged, first, "{}", Outcome(), 5)
    second = await planned(store, "b.mkv", base="p/a")
    await store.write(jobs.remerge, first, 6)
    assert [job.id for job in await store.write(jobs.merging)] == [first]
    await store.write(jobs.merged, first, "{}", Outcome(), 7)
    assert [job.id for job in await store.write(jobs.merging)] == [second]


async def test_of_many_that_wait_one_is_woken_at_a_time(store: Store) -> None:
    first = await planned(store, "a.mkv")
    waiting = [await planned(store, f"{n}.mkv") for n in range(3)]
    await answered(store, first)
    await store.write(jobs.merged, first, "{}", Outcome(), 5)
    assert [job.id for job in await store.write(jobs.indexing)] == waiting[:1]


async def test_an_unfinished_job_knows_the_plan_it_was_cut_by(store: Store) -> None:
    await planned(store)
    (job,) = await store.write(jobs.unfinished)
    assert job.plan == jobs.plan_text(plan().cut)
    assert job.plan != jobs.plan_text(SlidingPlan())


async def test_jobs_of_pipelines_that_wait_for_their_model_keep_no_other_from_being_indexed(store: Store) -> None:
    for number in range(3):
        await store.write(files.register, new_job(f"{number}.mkv", number, pipeline="waits"), 1)
    await store.write(files.register, new_job("a.mkv", 9), 1)
    assert [job.name for job in await store.write(jobs.indexing, ["waits", "other"], 1)] == ["a.mkv"]
    assert len(await store.write(jobs.indexing)) == 4
