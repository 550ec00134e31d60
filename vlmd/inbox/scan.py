"""What lies in the inbox: every entry, by lstat, without opening or following anything."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Sequence

import msgspec

from vlmd.core.video import FileIdentity


class Seen(msgspec.Struct, frozen=True):
    """A directory entry that is not a folder."""

    path: bytes
    identity: FileIdentity
    regular: bool


class Scan(msgspec.Struct):
    seen: list[Seen]
    ignored: int
    """Entries whose names the configuration tells to leave alone."""
    unreadable: list[bytes]
    """Folders that could not be listed, or not to the end."""


def scan(root: bytes, ignore: Sequence[str]) -> Scan:
    """Everything below `root`. Raises OSError when `root` itself cannot be listed; links are never followed."""
    found = Scan([], 0, [])
    folders = _list(root, ignore, found)
    while folders:
        folder = folders.pop()
        try:
            folders += _list(folder, ignore, found)
        except OSError:
            found.unreadable.append(folder)
    return found


def _list(folder: bytes, ignore: Sequence[str], found: Scan) -> list[bytes]:
    """Take in one folder; returns the folders in it. No recursion: folders may lie thousands deep."""
    with os.scandir(folder) as entries:
        listed = list(entries)
    deeper = []
    for entry in listed:
        if _is_ignored(entry.name, ignore):
            found.ignored += 1
        elif entry.is_dir(follow_symlinks=False):
            deeper.append(entry.path)
        elif (seen := _look(entry)) is not None:
            found.seen.append(seen)
    return deeper


def _look(entry: os.DirEntry[bytes]) -> Seen | None:
    """None when the entry has gone since the folder was listed."""
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    identity = FileIdentity(facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return Seen(entry.path, identity, stat.S_ISREG(facts.st_mode))


def _is_ignored(name: bytes, ignore: Sequence[str]) -> bool:
    text = os.fsdecode(name)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in ignore)
