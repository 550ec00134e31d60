"""Folders that people share with the daemon."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vlmd.supervisor.folders import make_alike


@pytest.mark.parametrize("permissions", [0o755, 0o2770, 0o3770])
def test_a_folder_in_the_inbox_is_as_open_as_the_inbox(tmp_path: Path, permissions: int) -> None:
    tmp_path.chmod(permissions)
    mask = os.umask(0o077)
    try:
        make_alike(tmp_path / "soccer", tmp_path)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "soccer").stat().st_mode) == permissions


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "soccer").mkdir(mode=0o700)
    make_alike(tmp_path / "soccer", tmp_path)
    assert stat.S_IMODE((tmp_path / "soccer").stat().st_mode) == 0o700
