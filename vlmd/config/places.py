"""Which files hold settings, and what systemd says about folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vlmd.config.given import Given
from vlmd.config.keys import Keys
from vlmd.config.layers import Layer

SYSTEM_CONFIG = Path("/etc/vlmd/config.toml")


class Place(NamedTuple):
    """A file that may hold settings."""

    path: Path
    asked: str | None
    """What asked for it (it must exist then); None for the usual places."""


def places(given: Given, environ: Mapping[str, str]) -> list[Place]:
    """Files to read, the later over the earlier. One that was asked for stands alone: no other file interferes."""
    if given.file is not None:
        return [Place(given.file, "--config")]
    if asked := environ.get("VLMD_CONFIG"):
        return [Place(Path(asked), "$VLMD_CONFIG")]
    usual = [system_config(environ), user_config(environ)]
    return [Place(path, None) for path in dict.fromkeys(usual) if path is not None]


def system_config(environ: Mapping[str, str]) -> Path:
    folder = _directory(environ, "CONFIGURATION_DIRECTORY")
    return folder / "config.toml" if folder else SYSTEM_CONFIG


def user_config(environ: Mapping[str, str]) -> Path | None:
    """None for a user of whom nobody knows a home folder."""
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    try:
        folder = base if base.is_absolute() else Path.home() / ".config"
    except RuntimeError:
        return None
    return folder / "vlmd" / "config.toml"


def systemd_layer(environ: Mapping[str, str]) -> Layer:
    """The folders that systemd made for a unit take the place of the defaults."""
    state, runtime = _directory(environ, "STATE_DIRECTORY"), _directory(environ, "RUNTIME_DIRECTORY")
    paths: dict[str, str] = {}
    origins: dict[Keys, str] = {}
    if state:
        paths["state"], origins["paths", "state"] = os.fspath(state), "$STATE_DIRECTORY"
        paths["models"], origins["paths", "models"] = os.fspath(state / "models"), "$STATE_DIRECTORY"
    if runtime:
        paths["socket"], origins["paths", "socket"] = os.fspath(runtime / "vlmd.sock"), "$RUNTIME_DIRECTORY"
    return Layer("systemd", {"paths": paths} if paths else {}, lambda: origins)


def _directory(environ: Mapping[str, str], variable: str) -> Path | None:
    """The first folder of a list as systemd hands it over."""
    first = environ.get(variable, "").split(":")[0]
    return Path(first) if os.path.isabs(first) else None
