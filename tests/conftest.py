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
