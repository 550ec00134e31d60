"""What a live screen reads: the right few out of many, in the order they are worked on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.store.making import answered, delivery, leased, planned
from vlmd.core.inputs import Outcome
from vlmd.store import Store, jobs, reader, screen, views, windows

NOTHING = '{"events": 0, "doubts": ["every one of 3 windows answered none"]}'
CUT = '{"events": 0, "doubts": ["the end of the video is missing"]}'
FINE = '{"events": 0, "doubts": []}'


async def test_unfinished_jobs_come_in_the_order_they_are_worked_on(store: Store, database: Path) -> None:
    numbers = [await planned(store, f"{name}.mkv", name) for name in "abcd"]
    twin = await planned(store, "twin.mkv", "d")
    await leased(store, numbers[1], 1)
    await store.write(jobs.hurry, numbers[2])
    with reader.snapshot(database) as db:
        order = [row["id"] for row in screen.active_jobs(db, 10)]
        assert order == [numbers[1], numbers[2], numbers[0], numbers[3], twin]
        assert [row["id"] for row in screen.active_jobs(db, 2)] == order[:2]
        assert screen.waiting_jobs(db, 10) == [{"id": twin, "name": "twin.mkv", "waits_for": numbers[3]}]


async def test_doubtful_results_are_found(store: Store, database: Path) -> None:
    numbers = {}
    for name, summary in (("nothing", NOTHING), ("cut", CUT), ("fine", FINE)):
        numbers[name] = await planned(store, f"{name}.mkv", name)
        await answered(store, numbers[name])
        await store.write(jobs.merged, numbers[name], summary, Outcome(), 9)
    with reader.snapshot(database) as db:
        assert [row["id"] for row in screen.doubtful_jobs(db, 10)] == [numbers["cut"], numbers["nothing"]]
        assert [row["id"] for row in screen.ended_jobs(db, 2)] == [numbers["fine"], numbers["cut"]]


async def test_progress_counts_what_was_done_while_others_waited(store: Store, database: Path) -> None:
    first, second = await planned(store, "a.mkv", "a"), await planned(store, "b.mkv", "b", count=7)
    for number, beside in ((first, 4), (second, 0)):
        await answered(store, number)
        await store.write(jobs.merged, number, FINE, Outcome(), 9)
        with reader.snapshot(database) as db:
            assert screen.done_beside(db) == beside, "nothing waits any more in the end"


async def test_answers_are_handed_out_once_and_in_order(store: Store, database: Path) -> None:
    job = await planned(store)
    lease = await leased(store, job)
    await store.write(windows.checkpoint, [delivery(lease.id, window, f"text {window}") for window in (0, 2, 1)], 4)
    with reader.snapshot(database) as db:
        texts = [raw.text for raw in screen.job_answers(db, job, 0, 10)]
        assert texts == ["text 0", "text 2", "text 1"], "in the order they were stored"
        first = screen.job_answers(db, job, 0, 1)
        assert [raw.text for raw in screen.job_answers(db, job, first[0].id, 10)] == texts[1:]
        newest = screen.newest_answers(db, 0, 2)
        assert [(raw.text, raw.job, raw.name) for raw in newest] == [(text, job, "a.mkv") for text in texts[1:]]
        assert screen.newest_answers(db, newest[-1].id, 2) == []


async def test_of_thousands_of_jobs_it_shows_a_few(store: Store, database: Path) -> None:
    await planned(store)
    with sqlite3.connect(database) as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO jobs"
            " (file_id, pipeline, name, base, state, fingerprint, recipe, total, created_at, changed_at)"
            " SELECT file_id, pipeline, i, base || i, 'queued', 'v' || i, recipe, 10, 1, 1 FROM jobs, n WHERE id = 1"
        )
    db.close()
    with reader.snapshot(database) as snapshot:
        said = views.screen_status(snapshot, 30)
    assert (len(said["active"]), said["ended"]) == (30, [])
    assert said["jobs"] == {"queued": 5001}
    assert said["windows"]["total"] == 50_004
