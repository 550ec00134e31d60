"""The results folder, and the place where it is when its mount is missing."""

from __future__ import annotations

from pathlib import Path

from vlmd.outputs.mount import missing, mount_of


def test_a_folder_on_its_mount_is_there(tmp_path: Path) -> None:
    assert mount_of(tmp_path).is_mount()
    assert missing(tmp_path, mount_of(tmp_path)) is None


def test_a_folder_that_is_not_there_any_more(tmp_path: Path) -> None:
    assert missing(tmp_path / "gone", mount_of(tmp_path)) == f"{tmp_path / 'gone'} is not there any more"


def test_an_empty_place_where_a_mount_was(tmp_path: Path) -> None:
    assert missing(tmp_path, tmp_path) == f"{tmp_path} is not mounted any more"
