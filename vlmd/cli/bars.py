"""Progress of a few videos: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vlmd.cli.words import console

_STEP = 0.25
"""Without a terminal: a line at every quarter."""


class Bars:
    """One bar per video; fed with jobs as the API lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._console = console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[name]}"),
            TextColumn("{task.fields[state]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("windows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks = {name: self._task(name) for name in names}
        self._said: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, jobs: Sequence[dict[str, Any]]) -> None:
        for job in jobs:
            name = job["name"].rsplit("/", 1)[-1]
            windows = job["windows"]
            done = windows["answered"] + windows["failed"]
            if self._console.is_terminal:
                total = windows["total"] or None
                self._progress.update(self._tasks[name], completed=done, total=total, state=job["state"])
            else:
                self._say(name, job["state"], done, windows["total"])

    def _task(self, name: str) -> TaskID:
        return self._progress.add_task(name, total=None, name=name, state="settling")

    def _say(self, name: str, state: str, done: int, total: int) -> None:
        quarter = int(done / total / _STEP) if total else 0
        if self._said.get(name) != (state, quarter):
            self._said[name] = (state, quarter)
            click.echo(f"{name}: {state}, {done} of {total} windows", err=True)
