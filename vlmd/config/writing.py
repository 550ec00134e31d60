"""Puts a config file in its place: whole or not at all, and never over another that is not kept."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from vlmd.core.errors import ConfigError


class _There(Exception):
    """Something lies where a new file was to be."""


def write_config(path: Path, text: str, replace: bool = False) -> Path | None:
    """Write `text` to `path`, and return the copy of what lay there. Raises `ConfigError`, with nothing changed.

    Unless `replace`, a file that lies there stays.
    """
    place = path.resolve()
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _written(temporary, text)
        try:
            kept = _kept(place) if replace and place.exists() else None
            _put(temporary, place, replace)
        finally:
            temporary.unlink(missing_ok=True)
        _synced(place.parent)
    except _There as error:
        raise ConfigError([f"{path} is there already, and stays; --force writes it anew and keeps a copy"]) from error
    except OSError as error:
        told = f"{path} cannot be written: {error.strerror}"
        raise ConfigError([f"{told}; make its folder writable, or name another file with --config"]) from error
    return kept


def _written(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _kept(place: Path) -> Path:
    """A copy of the file beside it."""
    copy = place.with_name(f"{place.name}.before-{datetime.now():%Y%m%d-%H%M%S-%f}")
    shutil.copy2(place, copy)
    return copy


def _put(temporary: Path, place: Path, replace: bool) -> None:
    """In one step."""
    if replace:
        os.replace(temporary, place)
        return
    try:
        os.link(temporary, place)  # unlike a rename it fails where something lies
    except OSError as error:  # something lies there; or it is a disk without hard links
        if os.path.lexists(place):
            raise _There from error
        os.replace(temporary, place)


def _synced(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
