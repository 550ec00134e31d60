"""Progress as plain lines: what the daemon is doing, how far it is, how long it will take."""

from __future__ import annotations

from typing import Any

from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.words import clock, percent


class Watcher:
    """Asks the daemon, and says something only when something changed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._last = ""

    def line(self) -> str | None:
        """The daemon's state in one line; None when it is the same as last time, or the daemon is not there."""
        try:
            text = describe(self._client.status())
        except NotRunning:
            return None
        if text == self._last:
            return None
        self._last = text
        return text


def describe(status: dict[str, Any]) -> str:
    """One line: devices, jobs, windows, time left."""
    windows = status["windows"]
    parts = [_devices(status["devices"]), _jobs(status["jobs"])]
    left = windows["total"] - windows["answered"] - windows["failed"]
    if windows["total"]:
        share = percent(windows["answered"] + windows["failed"], windows["total"])
        parts.append(f"windows {windows['answered']}/{windows['total']} ({share})")
    rate = status["windows_per_second"]
    if left and rate:
        parts.append(f"{rate:.1f} windows/s, {clock(round(left / rate))} left")
    if status["inbox"]["settling"]:
        parts.append(f"{len(status['inbox']['settling'])} files settling")
    return " · ".join(part for part in parts if part)


def _devices(devices: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for device in devices:
        counts[device["state"]] = counts.get(device["state"], 0) + 1
    return "workers: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _jobs(counts: dict[str, int]) -> str:
    return "jobs: " + (", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none")
