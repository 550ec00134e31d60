"""The daemon in the foreground, with plain progress where somebody watches."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click

from vlmd import log
from vlmd.cli.client import Client
from vlmd.cli.errors import Unavailable, sentence
from vlmd.cli.progress import Watcher
from vlmd.config import Given, Settings, load_settings
from vlmd.store import reader
from vlmd.supervisor.daemon import Daemon
from vlmd.supervisor.fleet.fleet import NoWorkers

_PROGRESS_SECONDS = 2.0


@click.command()
@click.option("--once", is_flag=True, help="End when everything in the inbox and the queue is done; for batch systems.")
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only, show no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Log every window too.")
@click.pass_obj
def run(given: Given, once: bool, quiet: bool, verbose: bool) -> None:
    """Run the daemon. It ends when told to (SIGTERM, Ctrl-C); a second signal ends it at once."""
    settings = load_settings(given)
    log.to_stderr(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    watched = os.isatty(2) and not quiet
    try:
        asyncio.run(_run(settings, given, once, watched))
    except* NoWorkers as group:
        raise Unavailable(f"no worker can run: {sentence(group)}") from None
    if once:
        _report(settings)


async def _run(settings: Settings, given: Given, once: bool, watched: bool) -> None:
    watcher = asyncio.create_task(_progress(settings)) if watched else None
    try:
        await Daemon(settings, once=once, reload=lambda: load_settings(given)).run()
    finally:
        if watcher is not None:
            watcher.cancel()


async def _progress(settings: Settings) -> None:
    """A line whenever something moved."""
    watcher = Watcher(Client(settings))
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        if line := await asyncio.to_thread(watcher.line):
            log.say(line)


def _report(settings: Settings) -> None:
    """After `--once`: exit code 1 when something has no result."""
    with reader.snapshot(settings.paths.database) as db:
        counts, left = reader.job_counts(db), reader.open_ends(db)
    words = [f"{count} {state}" for state, count in sorted(counts.items())]
    log.say(f"jobs: {', '.join(words) or 'none'}; files refused: {left['refused']}")
    if left["unfinished"]:
        log.say("not everything was done; the same command goes on from here")
    if left["failed"] or left["refused"]:
        log.say("`vlmd jobs` and `vlmd show JOB` say what failed and why; the log what was refused")
    if any(left.values()):
        sys.exit(1)
