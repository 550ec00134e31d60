"""Which config file counts, and what it says."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlmd.config.problems import explain, unresolved_names
from vlmd.config.settings import Settings
from vlmd.core.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/vlmd/config.toml")


def load_settings(path: Path | None = None) -> Settings:
    """The settings of `path`, else of $VLMD_CONFIG, else of the first file found, else the defaults.

    A file that was asked for must exist. Raises `ConfigError` with every problem at once.
    """
    asked = path or _asked_for(os.environ)
    if asked is not None:
        text = _read(asked)
        if text is None:
            raise ConfigError([f"{asked}: there is no such file"])
        return _parse_file(asked, text)
    for candidate in _usual_places(os.environ):
        text = _read(candidate)
        if text is not None:
            return _parse_file(candidate, text)
    return parse_settings({})


def parse_settings(data: Mapping[str, Any], folder: Path | None = None, source: Path | None = None) -> Settings:
    """Settings from what a TOML file holds; relative paths count from `folder`, else from the current one."""
    problems = unresolved_names(data)
    sections = {name: {} for name in ("paths", "devices", "inbox", "limits", "hooks", "retention")} | dict(data)
    try:
        settings = Settings.model_validate(sections, context={"folder": folder, "source": source})
    except ValidationError as error:
        problems = explain(error) + problems
    if problems:
        raise ConfigError(problems)
    return settings


def _parse_file(path: Path, text: bytes) -> Settings:
    """Settings of the file at `path`; every problem begins with the file's name."""
    source = path.absolute()
    try:
        return parse_settings(_toml(text), source.parent, source)
    except ConfigError as error:
        raise ConfigError([f"{path}: {problem}" for problem in error.problems]) from error


def _toml(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"line {line} is not UTF-8; save the file as UTF-8"]) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # tomllib's own error is a ValueError, a huge number another
        raise ConfigError([f"is not valid TOML: {error}"]) from error


def _read(path: Path) -> bytes | None:
    """The file's content; None where there is no such file."""
    try:
        return path.expanduser().read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error


def _asked_for(environ: Mapping[str, str]) -> Path | None:
    value = environ.get("VLMD_CONFIG")
    return Path(value) if value else None


def _usual_places(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("XDG_CONFIG_HOME", ""))
    base = home if home.is_absolute() else Path.home() / ".config"
    yield base / "vlmd" / "config.toml"
    yield SYSTEM_CONFIG
