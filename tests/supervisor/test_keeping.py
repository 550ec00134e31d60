"""The daemon's daily round."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.making import answered, planned, rows
from vlmd.config import Live, Settings, parse_settings
from vlmd.core.errors import StoreError
from vlmd.core.inputs import Outcome
from vlmd.core.retention import DAY_MS
from vlmd.store import Store, jobs
from vlmd.supervisor import keeping
from vlmd.supervisor.keeping import Keeper


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return parse_settings({"paths": {"state": str(tmp_path), "results": "/r", "inbox": "/i"}})


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """With one job, which was done in 1970."""
    store = await Store.open(settings.paths.database)
    job = await planned(store)
    await answered(store, job)
    await store.write(jobs.merged, job, "{}", Outcome(), 5)
    yield store
    await store.close()


async def left_after(keeper: Keeper, settings: Settings, seconds: float) -> int:
    """Jobs that are left when the keeper has run until there are none, or for so long."""
    running = asyncio.create_task(keeper.run(first=0.05, every=600))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not running.done() and rows(settings.paths.database, "SELECT 1 FROM jobs"):
                await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return len(rows(settings.paths.database, "SELECT 1 FROM jobs"))


async def test_old_jobs_are_forgotten_by_themselves(store: Store, settings: Settings) -> None:
    assert await left_after(Keeper(Live(settings), store), settings, seconds=60) == 0


async def test_nothing_is_forgotten_after_the_clock_was_set(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    times = iter([DAY_MS, 1000 * DAY_MS])
    monkeypatch.setattr(keeping, "now_ms", lambda: next(times))
    assert await left_after(Keeper(Live(settings), store), settings, seconds=1) == 1
    assert "the clock was set" in caplog.text


@pytest.mark.parametrize("seed", [1, 17, 32])
async def test_damage_that_is_found_ends_the_daemon(seed: int, settings: Settings) -> None:
    """Of the second and third, SQLite tells in bytes that are no text."""
    store = await Store.open(settings.paths.database)
    await answered(store, await planned(store, count=300))
    await store.close()
    store = await Store.open(settings.paths.database)
    with settings.paths.database.open("r+b") as file:
        file.seek(100_000)
        file.write(random.Random(seed).randbytes(50_000))
    with pytest.raises(StoreError, match="is damaged"):
        await Keeper(Live(settings), store).run(first=0.01, every=600)
    await store.close()
