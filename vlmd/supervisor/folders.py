"""Folders that people share with the daemon."""

from __future__ import annotations

import os
import stat
from pathlib import Path


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
