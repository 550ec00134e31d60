"""Which models were tried on canary windows, on what, and what came of it; remembered beside the database.

A model is tried at its first load, and again whenever its files, its precision, the kind of device or a library that
computes it has changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from vlmd.clock import now_ms
from vlmd.core.errors import Problem
from vlmd.core.families import family_name
from vlmd.core.messages.worker import ModelSpec, Ready
from vlmd.core.verification import Check
from vlmd.log import about
from vlmd.supervisor.devices.discovery import Device

logger = logging.getLogger("vlmd.models")

_COMPUTES = ("torch", "transformers", "bitsandbytes")
"""Packages that decide what a model computes."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one kind of device."""

    model: str
    device: str
    precision: str
    checks: list[Check]
    at: int
    """Milliseconds since 1970."""

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


class Verified:
    """What is remembered, and asked and told by whoever starts workers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(path)

    def of(self, model: ModelSpec, device: Device) -> Entry | None:
        """What came of it; None where this model has not been tried like this."""
        return self._entries.get(_key(model, device))

    def record(self, model: ModelSpec, device: Device, ready: Ready) -> Entry | None:
        """Keep what a worker found, if it was asked to look."""
        if ready.verification is None:
            return None
        entry = Entry(
            model=model.name,
            device=device.label,
            precision=ready.precision,
            checks=list(ready.verification.checks),
            at=now_ms(),
        )
        self._entries[_key(model, device)] = entry
        for check in entry.checks:
            level = logging.INFO if check.ok else logging.WARNING
            words = ("passed" if check.ok else "did not pass", check.name, check.said)
            logger.log(level, "%s %s: %s: %s", model.name, *words, extra=about(device=device.name))
        try:
            _write(self._path, self._entries)
        except OSError as error:
            logger.warning("%s: not remembered, tried again at the next start: %s", self._path, error)
        return entry

    def problems(self, models: Iterable[ModelSpec], devices: Iterable[Device]) -> list[Problem]:
        """What was found wrong with models in use, and did not keep them from being used."""
        seen = {id(entry): entry for device in devices for model in models if (entry := self.of(model, device))}
        return [_problem(entry) for entry in seen.values() if not entry.ok]


def _problem(entry: Entry) -> Problem:
    failed = "; ".join(f"{check.name}: {check.said}" for check in entry.checks if not check.ok)
    where = f"model {entry.model} ({entry.precision}, {entry.device}) did not pass its canary windows"
    return Problem(where, failed, f"compare with another precision: `vlmd models verify {entry.model}`")


def _key(model: ModelSpec, device: Device) -> str:
    """Everything that decides what is computed; cards of one kind compute alike."""
    facts = (model.revision, family_name(model.family), model.precision, model.attention, model.adapter,
             device.label, *(f"{package} {_version(package)}" for package in _COMPUTES))  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _read(path: Path) -> dict[str, Entry]:
    try:
        return msgspec.convert(json.loads(path.read_text()), dict[str, Entry])
    except FileNotFoundError:
        return {}
    except (ValueError, msgspec.ValidationError):
        logger.warning("%s is damaged; models are tried again at their next load", path)
        return {}


def _write(path: Path, entries: dict[str, Entry]) -> None:
    content: Any = msgspec.to_builtins(entries)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1))
    os.replace(temporary, path)
