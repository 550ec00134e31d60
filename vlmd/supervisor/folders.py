"""The folders a daemon needs, and people share with it: made where they are missing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vlmd.config import Settings
from vlmd.core.errors import VlmdError


def make_folders(settings: Settings) -> None:
    paths = settings.paths
    try:
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (paths.results, paths.inbox):
            folder.mkdir(parents=True, exist_ok=True)
        for name in settings.pipelines:
            make_alike(paths.inbox / name, paths.inbox)
    except OSError as error:
        raise VlmdError(f"cannot make {error.filename}: {error.strerror}; change [paths] in config.toml") from error


def make_alike(folder: Path, model: Path) -> None:
    """Make a folder that the same people may use as `model`, whatever the umask: they drop files into it.

    The set-group-id bit is inherited; setting it by hand is what a hardened service may not do.
    """
    permissions = stat.S_IMODE(model.stat().st_mode) & ~(stat.S_ISGID | stat.S_ISUID)
    mask = os.umask(0)
    try:
        folder.mkdir(mode=permissions, exist_ok=True)
    finally:
        os.umask(mask)
