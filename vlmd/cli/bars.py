"""Progress of what takes more than two seconds: bars and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from vlmd.cli.words import clock, console, size
from vlmd.core.names import shown

_STEP = 0.25
"""Without a terminal: a line at every quarter."""
_SMALL_STEP = 0.1
"""The same of what may take an hour."""


class _OnTerminal:
    """Drawn while it is entered, and only on a terminal."""

    _console: Console
    _progress: Progress

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:  # elsewhere a stop writes an empty line
            self._progress.stop()


class Steps(_OnTerminal):
    """One thing of a known length."""

    def __init__(self, name: str, total: float, unit: str) -> None:
        self._console = console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} " + unit),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=self._console, redirect_stdout=False, redirect_stderr=False)
        self._task = self._progress.add_task(shown(name), total=total)
        if not self._console.is_terminal:
            click.echo(f"{name}: {total:g} {unit}", err=True)

    def reached(self, amount: float) -> None:
        self._progress.update(self._task, completed=amount)


class Transfer(_OnTerminal):
    """Bytes that arrive, `here` of them before it begins."""

    def __init__(self, name: str, here: int, total: int) -> None:
        self._console = console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=self._console, redirect_stdout=False, redirect_stderr=False)
        self._task = self._progress.add_task(shown(name), total=total, completed=here)
        self._name, self._begun_with, self._total = name, here, total
        self._begun = time.monotonic()
        self._said = int(here / total / _SMALL_STEP) if total else 0

    def arrived(self, count: int) -> None:
        """So many are here."""
        self._progress.update(self._task, completed=count)
        step = int(count / self._total / _SMALL_STEP) if self._total else 0
        if not self._console.is_terminal and step > self._said:
            self._said = step
            click.echo(f"{self._name}: {size(count)} of {size(self._total)}{self._pace(count)}", err=True)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(shown(text))

    def _pace(self, count: int) -> str:
        seconds = max(time.monotonic() - self._begun, 0.001)
        rate = (count - self._begun_with) / seconds
        left = f", {clock(round((self._total - count) / rate))} left" if rate > 0 and count < self._total else ""
        return f", {size(rate)}/s{left}"


class Doing:
    """What is being done, and for how long already; `text` may change. `aside` makes room for other output."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        self._progress = Progress(*columns, console=self._console, transient=True, redirect_stdout=False)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def say(self, text: str) -> None:
        if not self._console.is_terminal:
            click.echo(text, err=True)
            return
        self._progress.update(self._task, description=shown(text))
        self._progress.start()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Whatever is written now stands above."""
        self._stop()
        yield
        if self._console.is_terminal:
            self._progress.start()

    def _stop(self) -> None:
        if self._console.is_terminal:  # elsewhere a stop writes an empty line
            self._progress.stop()


class Bars(_OnTerminal):
    """One bar per video; fed with jobs as the API lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._console = console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            TextColumn("{task.fields[state]}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("windows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._tasks = {name: self._task(name) for name in names}
        self._said: dict[str, tuple[str, int]] = {}

    def show(self, jobs: Sequence[dict[str, Any]], loading: str = "") -> None:
        """`loading` says what a model is at that all of them wait for."""
        for job in jobs:
            name = job["name"].rsplit("/", 1)[-1]
            windows = job["windows"]
            done = windows["answered"] + windows["failed"]
            if self._console.is_terminal:
                total = windows["total"] or None
                state = f"{job['state']}: {loading}" if loading and job["state"] == "queued" else job["state"]
                self._progress.update(self._tasks[name], completed=done, total=total, state=state)
            else:
                self._say(name, job["state"], done, windows["total"])

    def _task(self, name: str) -> TaskID:
        return self._progress.add_task("", total=None, name=shown(name), state="settling")

    def _say(self, name: str, state: str, done: int, total: int) -> None:
        quarter = int(done / total / _STEP) if total else 0
        if self._said.get(name) != (state, quarter):
            self._said[name] = (state, quarter)
            click.echo(f"{name}: {state}, {done} of {total} windows", err=True)
