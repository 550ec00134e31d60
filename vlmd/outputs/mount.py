"""Whether the results folder is still the one that vlmd started with, and not the empty place of a missing mount."""

from __future__ import annotations

from pathlib import Path


def mount_of(folder: Path) -> Path:
    """The mount that `folder` lies on."""
    resolved = folder.resolve()
    return next(above for above in (resolved, *resolved.parents) if above.is_mount())


def missing(folder: Path, mount: Path) -> str | None:
    """Why nothing may be written to `folder`, which lay on `mount`; None if all is well."""
    try:
        if not mount.is_mount():
            return f"{mount} is not mounted any more"
        return None if folder.is_dir() else f"{folder} is not there any more"
    except OSError as error:
        return str(error)
