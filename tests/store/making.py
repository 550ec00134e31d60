"""Small videos, plans and answers for tests of the store."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.samples import FACTS, RECIPE
from vlmd.core.answers import Timings, Token, Usage
from vlmd.core.errors import Code, Failure
from vlmd.core.messages.worker import WindowAnswered
from vlmd.core.recipe import Recipe
from vlmd.core.video import FileIdentity, FileRef, VideoIndex
from vlmd.core.windows import SlidingPlan, plan_windows
from vlmd.store import Store, files, jobs, windows

OTHER_RECIPE = replace(RECIPE, prompt="What is it now?")
DEGRADED = replace(RECIPE, frame_edge=32)
LOST = Failure(Code.WORKER_LOST, "the worker died")
STOPPED = Failure(Code.CANCELLED, "cancelled by request")


def new_job(path: str = "a.mkv", content: int = 0, pipeline: str = "p", base: str | None = None) -> files.NewJob:
    raw = f"/inbox/{path}".encode()
    return files.NewJob(
        file=FileRef(b"/inbox", raw, FileIdentity(2, 1000, content)),
        origin="inbox",
        pipeline=pipeline,
        name=path,
        base=base or f"{pipeline}/{path}",
    )


def plan(fingerprint: str = "video", count: int = 4, recipe: Recipe = RECIPE, keyframes: bool = False) -> jobs.Plan:
    """`count` windows of one second, one after the other."""
    facts = replace(FACTS, fingerprint=fingerprint, duration_ms=count * 1000, frames=count * 5)
    pts = list(range(0, count * 1000, 200))
    index = VideoIndex(facts=facts, time_base=(1, 1000), pts=pts, keyframes=pts if keyframes else [])
    sliding = SlidingPlan(length_ms=1000, step_ms=1000)
    return jobs.Plan(index, recipe, plan_windows(index, sliding, 10**6), sliding)


def delivery(lease: int, window: int, text: str = "None", recipe: Recipe = RECIPE, pts: Any = None) -> windows.Delivery:
    """The answer to a window of `plan`."""
    answer = WindowAnswered(
        lease=lease,
        window=window,
        pts=list(range(window * 1000, window * 1000 + 1000, 200)) if pts is None else pts,
        frame_digest="d",
        text=text,
        tokens=[Token(0, -0.5)],
        recipe=recipe,
        usage=Usage(prompt_tokens=10, new_tokens=1, finish="stop"),
        timings=Timings(prepare_ms=1, generate_ms=2, batch=1),
    )
    return windows.Delivery("cpu:0", answer)


async def planned(store: Store, path: str = "a.mkv", fingerprint: str = "video", count: int = 4, **more: Any) -> int:
    """A job that was registered and planned."""
    recipe, keyframes = more.pop("recipe", RECIPE), more.pop("keyframes", False)
    job, _ = await store.write(files.register, new_job(path, **more), 1)
    await store.write(jobs.plan, job, plan(fingerprint, count, recipe, keyframes), 2)
    return job


async def leased(store: Store, job: int, size: int = 100, worker: str = "cpu:0") -> windows.Lease:
    lease = await store.write(windows.lease, job, worker, size, 3)
    assert lease is not None
    return lease


async def answered(store: Store, job: int, text: str = "None", recipe: Recipe = RECIPE) -> None:
    """Every window that is left, so that the job can be merged."""
    while (lease := await store.write(windows.lease, job, "cpu:0", 100, 3)) is not None:
        deliveries = [delivery(lease.id, window.index, text, recipe) for window in lease.windows]
        accepted, _ = await store.write(windows.checkpoint, deliveries, 4)
        assert len(accepted) == len(deliveries)


def rows(database: Path, sql: str, *values: Any) -> list[dict[str, Any]]:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql, values)]
    finally:
        connection.close()


def state(database: Path, job: int) -> str:
    return rows(database, "SELECT state FROM jobs WHERE id = ?", job)[0]["state"]
