"""The folders a daemon needs: made where they are missing."""

from __future__ import annotations

from vlmd.config import Settings
from vlmd.core.errors import VlmdError


def make_folders(settings: Settings) -> None:
    paths = settings.paths
    try:
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in [paths.results, paths.inbox, *(paths.inbox / name for name in settings.pipelines)]:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VlmdError(f"cannot make {error.filename}: {error.strerror}; change [paths] in config.toml") from error
