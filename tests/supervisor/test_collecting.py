"""The list of a manifest's samples: written when all of its jobs have ended, anew when one does again, never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.making import STOPPED, answered, new_job, plan
from vlmd.config import Live, parse_settings
from vlmd.core.inputs import Inputs, Outcome
from vlmd.store import Store, files, jobs
from vlmd.store.collections import Sampled
from vlmd.supervisor.collecting import Collector

PIPELINES = {"p": {"model": "m", "task": "choice", "question": "Which?", "choices": ["red", "green"]}}
SAMPLES = [
    Sampled(number=1, name="t1", video="a.mkv"),
    Sampled(number=2, name="t2", video="b.mkv"),
    Sampled(number=3, name="t3", video="c.mkv", reason="its video is missing"),
    Sampled(number=4, name="t1", video="a.mkv", reason="there was a sample t1 before"),
]


class Box:
    """A database in which two jobs were asked by a manifest, and the folder for its list."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.results, self.store = folder / "results", store
        self.results.mkdir(exist_ok=True)
        data = {"models": {"m": {"path": "/x"}}, "pipelines": PIPELINES, "paths": {"results": str(self.results)}}
        self.live = Live(parse_settings(data), None)

    async def ask(self) -> list[int]:
        made = []
        for name in ("a.mkv", "b.mkv"):
            job = replace(new_job(name), base=f"p/test/{name}", inputs=Inputs(id=name))
            made.append((await self.store.write(files.register, job, 1))[0])
        asked = files.Collected(
            source=b"/inbox/p/test.json", base="p/test", pipeline="p", samples=SAMPLES, jobs=dict(enumerate(made, 1))
        )
        await self.store.write(files.take, [asked], 1)
        return made

    async def done(self, job: int, text: str) -> None:
        await self.store.write(jobs.plan, job, plan(f"video{job}"), 4)
        await answered(self.store, job)
        assert await self.store.write(jobs.merged, job, "{}", Outcome(text=text), 9)

    async def collected(self) -> None:
        """As a daemon does it that has just been started."""
        collector = Collector(self.live, self.store)
        running = asyncio.create_task(collector.run())
        try:
            async with asyncio.timeout(20):
                while not await collector.settled():
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
        self.problems = [problem.what for problem in collector.problems()]

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.results / "p/test.json").read_text())["samples"]
        return found

    def answers(self) -> list[str]:
        return (self.results / "p/test.csv").read_text().split()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    store = await Store.open(tmp_path / "state" / "vlmd.db")
    made = Box(tmp_path, store)
    yield made
    await made.store.close()


async def test_it_is_written_when_all_jobs_have_ended_and_anew_when_one_ends_again(box: Box) -> None:
    first, second = await box.ask()
    await box.done(first, "A. red")
    await box.collected()
    assert not (box.results / "p").exists(), "one job is still under way"
    await box.store.write(jobs.fail, second, STOPPED, 5, "cancelled")
    await box.collected()
    assert box.answers() == ["id,answer", "t1,A", "t2,", "t3,"]
    assert [(one["id"], one["state"]) for one in box.listed()] == [
        ("t1", "done"), ("t2", "cancelled"), ("t3", "missing"), ("t1", "missing")]  # fmt: skip
    assert box.listed()[3]["reason"] == "there was a sample t1 before"
    await box.store.write(jobs.retry, second, False, 10)
    await box.done(second, "B. green")
    await box.collected()
    assert box.answers() == ["id,answer", "t1,A", "t2,B", "t3,"]


async def test_what_was_due_when_the_daemon_was_killed_is_written_by_the_next(box: Box, tmp_path: Path) -> None:
    for job in await box.ask():
        await box.done(job, "A. red")
    await box.store.close()
    box.store = await Store.open(tmp_path / "state" / "vlmd.db")
    await box.collected()
    assert box.answers() == ["id,answer", "t1,A", "t2,A", "t3,"]


async def test_where_it_cannot_be_written_that_is_told_and_it_stays_due(box: Box) -> None:
    for job in await box.ask():
        await box.done(job, "A. red")
    (box.results / "p").write_text("a file where a folder belongs")
    await box.collected()
    assert box.problems == ["the list of p/test cannot be written"]
    (box.results / "p").unlink()
    await box.collected()
    assert box.problems == [] and box.answers()[1] == "t1,A"


async def test_a_manifest_that_is_dropped_again_takes_the_place_of_what_it_was(box: Box) -> None:
    for job in await box.ask():
        await box.done(job, "A. red")
    await box.collected()
    fewer = files.Collected(source=b"/inbox/p/test.json", base="p/test", pipeline="p", samples=SAMPLES[2:3])
    await box.store.write(files.take, [fewer], 20)
    await box.collected()
    assert box.answers() == ["id,answer", "t3,"]
