"""A scan sees every entry as it lies there, follows nothing, opens nothing, and is stopped by nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from vlmd.inbox.scan import scan


def seen(root: Path, *ignore: str) -> dict[bytes, bool]:
    """Path below `root` → is a regular file."""
    found = scan(os.fsencode(root), ignore)
    return {os.path.relpath(entry.path, os.fsencode(root)): entry.regular for entry in found.seen}


@pytest.fixture
def abyss(tmp_path: Path) -> Iterator[bytes]:
    """A folder a thousand and a half deep; pytest could not delete it."""
    here, depth = os.getcwd(), 1500
    os.chdir(tmp_path)
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")
    Path("deep.mkv").touch()
    os.chdir(here)
    yield os.fsencode(tmp_path)
    os.chdir(tmp_path)
    for _ in range(depth):
        os.chdir("d")
    os.remove("deep.mkv")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir("d")
    os.chdir(here)


def test_files_are_seen_wherever_they_lie_with_their_identity(tmp_path: Path) -> None:
    (tmp_path / "soccer/deep").mkdir(parents=True)
    (tmp_path / "soccer/deep/a.mkv").write_bytes(b"123")
    (tmp_path / "b.mkv").touch()
    assert seen(tmp_path) == {b"soccer/deep/a.mkv": True, b"b.mkv": True}
    facts = (tmp_path / "soccer/deep/a.mkv").stat()
    (entry,) = scan(os.fsencode(tmp_path / "soccer"), []).seen
    identity = entry.identity
    assert (identity.inode, identity.size, identity.mtime_ns) == (facts.st_ino, 3, facts.st_mtime_ns)


def test_links_are_entries_and_are_never_followed(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "inbox/file").symlink_to(tmp_path / "secret")
    (tmp_path / "inbox/folder").symlink_to(tmp_path)
    (tmp_path / "inbox/broken").symlink_to("nowhere")
    assert seen(tmp_path / "inbox") == {b"file": False, b"folder": False, b"broken": False}


def test_pipes_and_sockets_are_seen_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert seen(tmp_path) == {b"pipe": False, b"socket": False}


@pytest.mark.parametrize("name", [b"latin-\xe9.mkv", b"two\nlines.mkv", b"\x1b[2J.mkv", b" ", b"-rf", b"n" * 255])
def test_any_bytes_are_a_name(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).touch()
    assert seen(tmp_path) == {name: True}


def test_ignored_names_are_counted_and_ignored_folders_not_entered(tmp_path: Path) -> None:
    for name in (".hidden", "a.part", "B.PART", "a.mkv", "c.part/inner.mkv", "x/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = scan(os.fsencode(tmp_path), (".*", "*.part"))
    assert found.ignored == 4
    assert seen(tmp_path, ".*", "*.part") == {b"a.mkv": True, b"B.PART": True}


def test_a_folder_that_has_gone_meanwhile_is_an_error_only_at_the_root(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(os.fsencode(tmp_path / "gone"), [])


def test_folders_may_lie_deeper_than_a_program_can_recurse(abyss: bytes) -> None:
    (entry,) = scan(abyss, []).seen
    assert entry.path.endswith(b"/d/d/deep.mkv")


def test_a_path_too_long_for_the_kernel_hides_only_its_own_folder(tmp_path: Path) -> None:
    here, name = os.getcwd(), "f" * 250
    (tmp_path / "a.mkv").touch()
    os.chdir(tmp_path)
    while len(os.getcwd()) < 4095 - 255:
        os.mkdir(name)
        os.chdir(name)
    folder = os.getcwd()
    Path("x" * (4096 - len(folder))).touch()
    os.chdir(here)
    found = scan(os.fsencode(tmp_path), [])
    assert [os.path.basename(entry.path) for entry in found.seen] == [b"a.mkv"]
    assert found.unreadable == [os.fsencode(folder)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_read_is_named_and_stops_nothing(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a.mkv").touch()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/b.mkv").touch()
    (tmp_path / "closed").chmod(mode)
    found = scan(os.fsencode(tmp_path), [])
    (tmp_path / "closed").chmod(0o700)
    assert [os.path.basename(entry.path) for entry in found.seen] == [b"a.mkv"]
    assert found.unreadable == [os.fsencode(tmp_path / "closed")]
