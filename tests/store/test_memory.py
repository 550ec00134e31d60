"""What batches were planned to take and took is kept with their answers, and told of the job."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tests.samples import RECIPE
from tests.store.making import delivery, leased, planned
from vlmd.core.answers import Timings
from vlmd.store import Store, reader, views, windows


async def answer(store: Store, memory: list[tuple[int | None, int | None]], coarse: int = 0) -> int:
    job = await planned(store, count=len(memory))
    lease = await leased(store, job)
    told = []
    for window, (planned_bytes, used) in zip(lease.windows, memory, strict=True):
        recipe = replace(RECIPE, frame_tokens=66) if window.index < coarse else RECIPE
        one = delivery(lease.id, window.index, "None", recipe)
        timings = Timings(prepare_ms=1, generate_ms=2, batch=4, memory_planned=planned_bytes, memory_used=used)
        told.append(windows.Delivery(one.worker, replace(one.answer, timings=timings)))
    await store.write(windows.checkpoint, told, 4)
    return job


async def test_the_batch_that_took_most_is_told(store: Store, database: Path) -> None:
    job = await answer(store, [(500, 400), (900, 450), (None, None), (500, None)])
    with reader.snapshot(database) as db:
        detail = views.job_detail(db, job)
        kept = [window.answer for window in reader.windows(db, job)]
    assert detail is not None
    assert (detail["memory"], detail["degraded"]) == ({"batch": 4, "planned": 900, "used": 450}, 0)
    assert [(one.memory_planned, one.memory_used) for one in kept if one][:2] == [(500, 400), (900, 450)]


async def test_nothing_is_told_where_nothing_was_planned(store: Store, database: Path) -> None:
    job = await answer(store, [(None, None)] * 2)
    with reader.snapshot(database) as db:
        detail = views.job_detail(db, job)
    assert detail is not None and detail["memory"] is None


async def test_what_was_planned_is_told_where_nothing_was_measured(store: Store, database: Path) -> None:
    job = await answer(store, [(500, None), (700, None)])
    with reader.snapshot(database) as db:
        detail = views.job_detail(db, job)
    assert detail is not None and detail["memory"] == {"batch": 4, "planned": 700, "used": None}


async def test_answers_with_coarser_frames_are_counted(store: Store, database: Path) -> None:
    job = await answer(store, [(500, 400)] * 4, coarse=3)
    with reader.snapshot(database) as db:
        detail = views.job_detail(db, job)
    assert detail is not None and detail["degraded"] == 3
