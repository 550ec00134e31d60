"""`vlmd demo`: the whole way on synthetic videos, through the real daemon, in about a minute."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from vlmd.cli.bars import Bars, Steps
from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.progress import loading
from vlmd.cli.results import documents
from vlmd.cli.words import clock, print_table
from vlmd.config import Given, load_settings
from vlmd.config.given import settings_variables
from vlmd.core.errors import VlmdError
from vlmd.core.names import shown
from vlmd.demo.compare import Row, read_events, side_by_side
from vlmd.demo.game import TrueEvent
from vlmd.demo.stage import Stage, render, set_up
from vlmd.evaluation.matching import Score

_FIRST_SEED = 1_000_000
"""Far from the seeds the model was trained on."""
_START_SECONDS = 60.0
_MOST_VIDEOS = 50
_ENDED = ("done", "failed", "cancelled", "quarantined")


@click.command()
@click.option("--seconds", type=click.IntRange(5, 3600), default=90, show_default=True, help="Length of each video.")
@click.option("--videos", type=click.IntRange(1, _MOST_VIDEOS), default=2, show_default=True, help="How many videos.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, other matches.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to play. [default: a new one in the temporary folder]"
)
def demo(seconds: int, videos: int, seed: int, folder: Path | None) -> None:
    """Play the demo. Render synthetic matches, drop them into a real daemon's inbox, compare with the truth."""
    for variable in settings_variables(os.environ):
        del os.environ[variable]  # the demo plays by its own settings
    workers = max(1, min(2, len(os.sched_getaffinity(0))))
    stage = set_up(_scratch(folder), workers)
    begun = time.monotonic()
    click.echo(f"everything lies in {stage.folder}", err=True)
    films = [
        _render(stage, f"match-{number + 1}.mp4", _FIRST_SEED + 1000 * seed + number, seconds)
        for number in range(videos)
    ]
    with _daemon(stage) as process:
        for path, _ in films:
            stage.drop(path)
        _watch(stage, process, [path.name for path, _ in films])
    total = Score(0, 0, 0)
    for path, truth in films:
        total += _compare(stage, path.name, truth)
    page, workbook = _report(stage)
    elapsed = time.monotonic() - begun
    click.echo(f"results: {stage.folder / 'results'}\nreports: {page}\n         {workbook}")
    click.echo(
        f"demo: F1 {total.f1:.3f} precision {total.precision:.3f} recall {total.recall:.3f} "
        f"({total.true} true events, {total.found} found, {videos} videos of {seconds} s, {elapsed:.0f} s in all)"
    )


def _report(stage: Stage) -> tuple[Path, Path]:
    """How good the results are, in words, and two files for people."""
    from vlmd.cli.report import evaluation_of, write_report

    named = list(documents(Given(stage.config), [str(stage.folder / "results")]))
    evaluated = evaluation_of(named, [stage.folder / "truth"])
    for said in evaluated.says:
        click.echo(shown(said))
    return write_report(named, evaluated, stage.folder, "vlmd demo")


def _scratch(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="vlmd-demo-"))
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty; name a new folder")
    return folder.absolute()


def _render(stage: Stage, name: str, seed: int, seconds: int) -> tuple[Path, list[TrueEvent]]:
    with Steps(f"rendering {name}, match {seed}", seconds, "s") as steps:
        return render(stage, name, seed, seconds, steps.reached)


@contextlib.contextmanager
def _daemon(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """The real daemon, from its start to its orderly end; its log goes to a file."""
    command = [sys.executable, "-P", "-m", "vlmd", "--config", str(stage.config), "run"]
    with stage.log.open("wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()


def _watch(stage: Stage, process: subprocess.Popen[bytes], names: Sequence[str]) -> None:
    """Show progress until every video has its result."""
    client = Client(load_settings(stage.config))
    deadline = time.monotonic() + _START_SECONDS
    with Bars(names) as bars:
        while True:
            screen = _screen(client, stage, process, deadline)
            jobs = [*screen["active"], *screen["ended"]]
            bars.show(jobs, loading(screen["devices"]))
            if len([job for job in jobs if job["state"] in _ENDED]) == len(names):
                break
            time.sleep(0.3)
    if failed := [job for job in jobs if job["state"] != "done"]:
        raise VlmdError(f"{failed[0]['name']} {failed[0]['state']}: {failed[0]['reason']}; see {stage.log}")


def _screen(client: Client, stage: Stage, process: subprocess.Popen[bytes], deadline: float) -> dict[str, Any]:
    if process.poll() is not None:
        raise VlmdError(f"the daemon ended with exit code {process.returncode}:\n{_tail(stage.log)}")
    try:
        return client.screen(_MOST_VIDEOS)
    except NotRunning:
        if time.monotonic() > deadline:
            raise VlmdError(f"the daemon did not start within {_START_SECONDS:.0f} s:\n{_tail(stage.log)}") from None
        return {"active": [], "ended": [], "devices": []}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-10:])


def _compare(stage: Stage, name: str, truth: list[TrueEvent]) -> Score:
    rows, score = side_by_side(read_events(stage.result(name)), truth)
    click.echo(f"{name}: {score.true} true events, {score.found} found, {score.matched} of them right")
    print_table(["true event", "from", "to", "found event", "window", "prob."], [_cells(row) for row in rows])
    return score


def _cells(row: Row) -> list[object]:
    true, found = row.true, row.found
    left = [f"{true.label}, {true.team}", *_span(true.start_ms, true.end_ms)] if true else ["-", "", ""]
    if found is None:
        return [*left, "missed", "", ""]
    window = " to ".join(_span(found.start_ms, found.end_ms))
    sure = "" if found.confidence is None else f"{found.confidence:.3f}"
    return [*left, f"{found.label}, {found.team or 'no team'}", window, sure]


def _span(start_ms: int, end_ms: int) -> tuple[str, str]:
    return clock(start_ms / 1000), clock(end_ms / 1000)
