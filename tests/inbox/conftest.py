"""The folder that tests of the inbox share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inbox.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
