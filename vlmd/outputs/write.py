"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import msgspec

from vlmd.core.names import safe_json


class _Video(msgspec.Struct):
    sha256: str


class _Result(msgspec.Struct):
    video: _Video


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 beside `path`, sync it, rename it into place, sync the folder.

    The temporary name ends in .tmp and is always the same, so that a writer that was killed leaves no litter.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def as_text(document: dict[str, Any]) -> str:
    """A result as it is written: indented JSON, keys in their order, text readable, numbers finite."""
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


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
