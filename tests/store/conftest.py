"""A store in a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vlmd.store import Store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "vlmd.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    store = await Store.open(database)
    yield store
    await store.close()
