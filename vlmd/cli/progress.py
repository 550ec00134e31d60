"""Progress as plain lines: what the daemon is doing, how far it is, how long it will take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.words import clock, percent
from vlmd.core.names import shown
from vlmd.tui.cells import position
from vlmd.tui.frame import Frame
from vlmd.tui.problems import Problem
from vlmd.tui.seen import Sighting

_PAUSE_SECONDS = 5.0
"""Between two lines that say how far everything is."""


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


class Story:
    """What happens, as lines: how far everything is, new events, new problems, the daemon gone and back."""

    def __init__(self) -> None:
        self._last = ""
        self._said_at = float("-inf")
        self._newest: int | None = None
        self._problems: set[Problem] = set()
        self._trouble = ""

    def lines(self, document: dict[str, Any] | None, frame: Frame | None, trouble: str, now: float) -> Iterator[str]:
        """What is new since the last time."""
        if trouble != self._trouble:
            self._trouble = trouble
            yield trouble or "the daemon answers again"
        if document is None or frame is None or trouble:
            return
        yield from self._new_problems(frame)
        yield from self._newly_seen(frame)
        text = describe(document)
        if text != self._last and now - self._said_at >= _PAUSE_SECONDS:
            self._last, self._said_at = text, now
            yield text

    def _new_problems(self, frame: Frame) -> Iterator[str]:
        for problem in frame.problems:
            if problem not in self._problems:
                yield problem_line(problem)
        self._problems = set(frame.problems)

    def _newly_seen(self, frame: Frame) -> Iterator[str]:
        """What was there before it began to watch is no news."""
        if self._newest is not None:
            new = [seen for seen in frame.seen if seen.order > self._newest]
            yield from map(_seen_line, reversed(new))
        self._newest = max([self._newest or 0, *(seen.order for seen in frame.seen)])


def problem_line(problem: Problem) -> str:
    helps = f" ({problem.remedy})" if problem.remedy else ""
    return shown(f"{problem.what}: {problem.reason}{helps}")


def _seen_line(seen: Sighting) -> str:
    sure = "" if seen.confidence is None else f", {seen.confidence:.2f}"
    team = f", {seen.team}" if seen.team else ""
    return shown(f"{seen.video} {position(seen.start_ms / 1000)}: {seen.what}{team}{sure}")


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
    stage = f" ({loading(devices)})" if loading(devices) else ""
    return "workers: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) + stage


def loading(devices: list[dict[str, Any]]) -> str:
    """What a model that is being loaded is at; nothing where no worker waits for that, or another one works."""
    if any(device["state"] in ("idle", "busy") for device in devices):
        return ""
    return next((shown(device["stage"]) for device in devices if device["state"] == "loading"), "")


def _jobs(counts: dict[str, int]) -> str:
    return "jobs: " + (", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none")
