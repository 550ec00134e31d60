"""Devices that rest, and what is left to do for those that do not."""

from __future__ import annotations

from msgspec.structs import replace

from tests.store.making import RECIPE, answered, new_job, planned
from vlmd.store import Store, devices, files, windows


async def test_paused_until_resumed(store: Store) -> None:
    await store.write(devices.pause, ["GPU-1", "cpu:0"], 1)
    await store.write(devices.pause, ["GPU-1"], 2)
    assert await store.write(devices.paused) == {"GPU-1", "cpu:0"}
    await store.write(devices.resume, ["GPU-1", "GPU-2"])
    assert await store.write(devices.paused) == {"cpu:0"}


async def test_many_jobs_of_one_model_hide_none_of_another(store: Store) -> None:
    for number in range(4):
        await planned(store, f"{number}.mkv", f"video {number}")
    await planned(store, "last.mkv", "video 9", recipe=replace(RECIPE, model="other"))
    opened = await store.write(windows.open_jobs, 2)
    assert [(job.id, job.model) for job in opened] == [(1, RECIPE.model), (2, RECIPE.model), (5, "other")]


async def test_only_windows_are_left_when_nothing_is_read_or_merged(store: Store) -> None:
    assert not await store.write(windows.only_windows_left), "nothing is left at all"
    job = await planned(store)
    assert await store.write(windows.only_windows_left)
    await store.write(files.register, new_job("b.mkv"), 1)
    assert not await store.write(windows.only_windows_left), "another one is to be read"
    await answered(store, job)
    assert not await store.write(windows.only_windows_left), "this one is to be merged"
