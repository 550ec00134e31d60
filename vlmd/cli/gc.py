"""`vlmd gc`: forget now what has been kept long enough; by the daemon where one runs, else right here."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import click
import msgspec

from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.words import json_option, print_json, size
from vlmd.clock import now_ms
from vlmd.config import Given, Settings, load_settings
from vlmd.core.retention import Cutoffs, cutoffs
from vlmd.store import Store, retention, sweep
from vlmd.store.retention import Forgotten
from vlmd.supervisor.keeping import described

_WORTH_SHRINKING = 4
"""The file is written anew when at least one part in so many of it is free."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
@click.pass_obj
def gc(given: Given, dry_run: bool, as_json: bool) -> None:
    """Forget what has been kept long enough. The section [retention] of the configuration says how long.

    The daemon does so once a day by itself. Results are never deleted. Without a daemon, the database's file is
    made smaller as well.
    """
    settings = load_settings(given)
    document = {"dry_run": dry_run, **_collect(settings, dry_run)}
    if as_json:
        print_json(document)
    else:
        _print(document)


def _collect(settings: Settings, dry_run: bool) -> dict[str, Any]:
    try:
        return Client(settings).forget(dry_run)
    except NotRunning:
        if not settings.paths.database.exists():
            return {"forgotten": msgspec.to_builtins(Forgotten())}
    found = cutoffs(settings.retention, now_ms())
    if dry_run:
        return {"forgotten": msgspec.to_builtins(sweep.expected(settings.paths.database, found))}
    return asyncio.run(_forget(settings, found))


async def _forget(settings: Settings, found: Cutoffs) -> dict[str, Any]:
    """Forget without a daemon, under the lock that keeps one from starting."""
    database = settings.paths.database
    store = await Store.open(database)
    try:
        round_ = sweep.Sweep(store, database, found, rest=False)
        await round_.run()
        shrunk = _worth_shrinking(round_.room, database)
        if shrunk:
            await store.shrink()
        room = await store.write(retention.room)
    except BaseException:
        await store.close(in_order=False)
        raise
    await store.close()
    return {
        "forgotten": msgspec.to_builtins(round_.done),
        "database_bytes": room.database,
        "free_bytes": room.free,
        "shrunk": shrunk,
    }


def _worth_shrinking(room: retention.Room, database: Path) -> bool:
    """There is enough to be won, and space for the copy that it takes."""
    if room.free * _WORTH_SHRINKING < room.database:
        return False
    return shutil.disk_usage(database.parent).free > 2 * (room.database - room.free)


def _print(document: dict[str, Any]) -> None:
    forgotten = msgspec.convert(document["forgotten"], Forgotten)
    if document["dry_run"]:
        click.echo(f"would be forgotten: {described(forgotten)}; about {size(forgotten.bytes)}")
        return
    click.echo(f"forgotten: {described(forgotten)}; {size(forgotten.bytes)}")
    if "free_bytes" not in document:
        return
    free, database = size(document["free_bytes"]), size(document["database_bytes"])
    hint = "" if "shrunk" in document else "; without a running daemon, `vlmd gc` makes the file smaller"
    click.echo(f"the database takes {database}; {free} of it are free and used again before it grows{hint}", err=True)
