"""What a check says, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vlmd.config import Settings

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line: what was found, and, unless all is well, what to do."""

    level: Level
    check: str
    found: str
    remedy: str | None = None


def ok(check: str, found: str) -> Finding:
    return Finding("ok", check, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    return Finding("warn", check, found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    return Finding("fail", check, found, remedy)


@dataclass(frozen=True)
class Setting:
    """What the checks are told: the configuration, the environment, and what the daemon says of itself."""

    settings: Settings
    environ: Mapping[str, str]
    status: dict[str, Any] | None
    """The running daemon's status; None where none answers."""


Check = Callable[[Setting], list[Finding]]
