"""A daemon whose database hangs, or is gone, is not called well."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vlmd.store import Store
from vlmd.supervisor import health


def with_store(store: Store) -> Any:
    return SimpleNamespace(store=store)


async def test_a_database_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.2)
    store = await Store.open(tmp_path / "db")
    over = asyncio.Event()

    async def hang(db: object) -> None:
        await over.wait()

    hanging = asyncio.create_task(store.write(hang))
    await asyncio.sleep(0)
    assert "did not answer" in (await health.alive(with_store(store)) or "")
    over.set()
    await hanging
    assert await health.alive(with_store(store)) is None
    await store.close()
    assert "cannot be used" in (await health.alive(with_store(store)) or "")
