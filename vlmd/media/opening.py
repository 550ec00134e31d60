"""Opening a file that anybody may have put there: no links, no pipes, no devices, no other file than meant.

The path is walked component by component from `root` with descriptors of folders, so that nothing swapped in
between can redirect it. What is handed on is a descriptor; the name is not used again.
"""

from __future__ import annotations

import errno
import os
import stat

from vlmd.core.errors import Code, MediaError
from vlmd.core.video import FileIdentity, FileRef

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_MISSING = {errno.ENOENT}
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
"""Not the file's fault: there are no descriptors, no processes or no memory left."""
_NOT_REGULAR = {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENODEV, errno.EISDIR}


def open_video(ref: FileRef) -> int:
    """A read-only descriptor of the file that `ref` means. Raises `MediaError`; the caller closes it."""
    fd = _open_regular(ref.root, ref.path)
    try:
        found = identity_of(fd)
        if found != ref.identity:
            raise MediaError(Code.FILE_CHANGED, f"{_show(ref.path)} is not the file that was registered")
        _refuse_empty(found, ref.path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def identify(root: bytes, path: bytes) -> FileIdentity:
    """Identity of the file at `path`, after the same checks as `open_video`. Raises `MediaError`."""
    fd = _open_regular(root, path)
    try:
        found = identity_of(fd)
        _refuse_empty(found, path)
        return found
    finally:
        os.close(fd)


def identity_of(fd: int) -> FileIdentity:
    """Identity of an open file."""
    facts = os.fstat(fd)
    return FileIdentity(facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _open_regular(root: bytes, path: bytes) -> int:
    folders, name = _components(root, path)
    try:
        at = os.open(root, _FOLDER)
        try:
            for folder in folders:
                deeper = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = deeper
            return _open_last(at, name, path)
        finally:
            os.close(at)
    except OSError as error:
        raise MediaError(_code(error), f"{_show(path)}: {os.strerror(error.errno or 0)}") from error


def _open_last(folder: int, name: bytes, path: bytes) -> int:
    # Looked at before it is opened, because opening alone can set a device to work; and again after, because
    # it may have been swapped in between.
    _refuse_irregular(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode, path)
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        _refuse_irregular(os.fstat(fd).st_mode, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _components(root: bytes, path: bytes) -> tuple[list[bytes], bytes]:
    """The folders below `root`, and the file's own name."""
    prefix = root.rstrip(b"/") + b"/"
    parts = path[len(prefix) :].split(b"/")
    if not path.startswith(prefix) or not all(parts) or not {b".", b".."}.isdisjoint(parts) or b"\0" in path:
        raise MediaError(Code.NOT_REGULAR, f"{_show(path)} is not a plain path below {_show(root)}")
    return parts[:-1], parts[-1]


def _refuse_irregular(mode: int, path: bytes) -> None:
    if not stat.S_ISREG(mode):
        raise MediaError(Code.NOT_REGULAR, f"{_show(path)} is {_kind(mode)}")


def _refuse_empty(identity: FileIdentity, path: bytes) -> None:
    if identity.size == 0:
        raise MediaError(Code.EMPTY, f"{_show(path)} holds no bytes")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def _code(error: OSError) -> Code:
    if error.errno in _MISSING:
        return Code.FILE_MISSING
    if error.errno in EXHAUSTED:
        return Code.EXHAUSTED
    return Code.NOT_REGULAR if error.errno in _NOT_REGULAR else Code.UNREADABLE


def _show(path: bytes) -> str:
    """A name as people can read it; anything that could steer a terminal is escaped."""
    return ascii(os.fsdecode(path))[1:-1]
