"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec


class _Video(msgspec.Struct):
    sha256: str


class _Result(msgspec.Struct):
    video: _Video


class Draft:
    """A file on its way to `path`: written whole beside it, then published or discarded.

    Its name ends in .tmp and is always the same, so that a writer that was killed leaves no litter. `root` is a
    folder that is there to stay; folders below it are made as needed.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._temporary = path.with_name(f".{path.name}.tmp")

    def write(self, pieces: Iterable[str]) -> None:
        """UTF-8, on disk when this returns. What cannot be written, or made, leaves nothing behind."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._temporary.open("w", encoding="utf-8") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self.discard()
            raise

    def publish(self) -> None:
        """Put it in its place, for good: a power cut takes away neither the file nor a folder above it."""
        try:
            self._temporary.replace(self._path)
        except BaseException:
            self.discard()
            raise
        for folder in self._path.parents:
            _sync_folder(folder)
            if folder == self._root:
                break

    def discard(self) -> None:
        # A disk that refuses to take a file may refuse to lose it, too; what matters then was raised before.
        with contextlib.suppress(OSError):
            self._temporary.unlink()


def holder(path: Path) -> str | None:
    """The fingerprint of the video whose result lies at `path`; None where nothing lies, "" for what is no result."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Result).video.sha256
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
