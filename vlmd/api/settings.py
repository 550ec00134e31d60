"""Which configuration counts: one that was made already, a file, or the one the command line would find."""

from __future__ import annotations

import os
from pathlib import Path

from vlmd.config import Given, Settings, load_settings

Config = Settings | str | os.PathLike[str] | None


def settings_of(config: Config) -> Settings:
    """Raises `ConfigError` with every mistake."""
    if isinstance(config, Settings):
        return config
    return load_settings(Given(None if config is None else Path(config)))
