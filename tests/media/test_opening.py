"""Files that anybody may have put there: refused by name, never followed, never waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import FileRef
from vlmd.media.opening import identify, open_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "root" / "folder" / "video.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    return path


def ref_to(root: Path, path: Path) -> FileRef:
    return FileRef(bytes(root), bytes(path), identify(bytes(root), bytes(path)))


def code_of(root: Path, path: Path) -> Code:
    with pytest.raises(MediaError) as raised:
        identify(bytes(root), bytes(path))
    return raised.value.failure.code


def test_a_regular_file_is_opened(video: Path, tmp_path: Path) -> None:
    fd = open_video(ref_to(tmp_path / "root", video))
    assert os.read(fd, 100) == b"content"
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"new\nline", b"\x1b[31m", b"-rf", b"concat:a|b", "‮fdp.mp4".encode()])
def test_any_name_will_do(name: bytes, tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(b"content")
    assert identify(bytes(tmp_path), path).size == 7


def test_a_root_that_is_reached_through_a_link_is_fine(video: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert identify(bytes(tmp_path / "link"), bytes(tmp_path / "link/folder/video.mp4")).size == 7


def test_links_below_the_root_are_refused_at_any_level(video: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "link").symlink_to(root / "folder")
    (root / "folder" / "link.mp4").symlink_to(video)
    assert code_of(root, root / "link" / "video.mp4") == Code.NOT_REGULAR
    assert code_of(root, root / "folder" / "link.mp4") == Code.NOT_REGULAR
    (root / "dangling.mp4").symlink_to("nowhere")
    assert code_of(root, root / "dangling.mp4") == Code.NOT_REGULAR


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert code_of(tmp_path, tmp_path / "pipe.mp4") == Code.NOT_REGULAR
    assert code_of(tmp_path, tmp_path / "folder.mp4") == Code.NOT_REGULAR
    assert code_of(Path("/dev"), Path("/dev/zero")) == Code.NOT_REGULAR
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/s.mp4")
        assert code_of(tmp_path, tmp_path / "s.mp4") == Code.NOT_REGULAR


def test_paths_that_leave_the_root_are_refused(video: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in (video.parent / "../folder/video.mp4", tmp_path / "other.mp4", Path(f"{root}x/video.mp4"), root):
        assert code_of(root, path) == Code.NOT_REGULAR


def test_missing_empty_and_changed_files_are_told_apart(video: Path, tmp_path: Path) -> None:
    ref = ref_to(tmp_path, video)
    with pytest.raises(MediaError) as raised:
        open_video(replace(ref, identity=replace(ref.identity, mtime_ns=1)))
    assert raised.value.failure.code == Code.FILE_CHANGED
    video.write_bytes(b"other content")
    with pytest.raises(MediaError) as raised:
        open_video(ref)
    assert raised.value.failure.code == Code.FILE_CHANGED
    video.write_bytes(b"")
    assert code_of(tmp_path, video) == Code.EMPTY
    video.unlink()
    assert code_of(tmp_path, video) == Code.FILE_MISSING
    assert code_of(tmp_path, tmp_path / "no" / "folder.mp4") == Code.FILE_MISSING


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_so(video: Path, tmp_path: Path) -> None:
    video.chmod(0)
    assert code_of(tmp_path, video) == Code.UNREADABLE


def test_a_reason_cannot_steer_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as raised:
        identify(bytes(tmp_path), bytes(tmp_path) + b"/\x1b[31m\n.mp4")
    assert raised.value.failure.reason.isprintable()


def test_refusals_leave_no_descriptor_behind(video: Path, tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(video)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        code_of(tmp_path, tmp_path / "link.mp4")
        code_of(tmp_path, tmp_path / "root" / "folder" / "missing.mp4")
    assert len(os.listdir("/proc/self/fd")) == before
