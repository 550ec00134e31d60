"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def videos() -> Path:
    """The folder of test media that VLMD_TEST_VIDEOS names; tests that need it are skipped without."""
    folder = os.environ.get("VLMD_TEST_VIDEOS")
    if not folder:
        pytest.skip("VLMD_TEST_VIDEOS is not set")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes first, and of them first those that ask for more time than others: nobody waits for the last."""
    items.sort(key=lambda item: ("process" not in item.path.parts, item.get_closest_marker("timeout") is None))
