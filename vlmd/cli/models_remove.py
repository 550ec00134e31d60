"""`vlmd models remove`: what was fetched goes; folders that are not vlmd's own are left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.models_list import all_places, bytes_of, users_of
from vlmd.cli.models_named import Named, name_argument, named
from vlmd.cli.words import json_option, print_json, size
from vlmd.config import Given, Settings, load_settings
from vlmd.core.errors import UsageError, VlmdError
from vlmd.weights import places
from vlmd.weights.places import REMOVING, Fetched


@click.command()
@name_argument
@click.option("--revision", help="Only this branch, tag or commit. [default: every one that is here]")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--force", is_flag=True, help="Also what the configuration or the running daemon uses.")
@json_option
@click.pass_obj
def remove(given: Given, name: str, revision: str | None, dry_run: bool, force: bool, as_json: bool) -> None:
    """Delete what was fetched of a model. NAME is a configured model, or "owner/name" on the hub.

    Refuses while the configuration or the running daemon uses it, unless --force is given.
    """
    settings = load_settings(given)
    wanted = named(settings, name, revision)
    _going(settings, wanted)
    with contextlib.nullcontext() if dry_run else places.alone(wanted.hub, settings.paths.models):
        going = _going(settings, wanted)
        taken = {str(found.folder): bytes_of(found.folder) for found in going}
        uses = _uses(settings, going)
        if uses and not force and not dry_run:
            raise UsageError(f"{wanted.hub} is in use: {'; '.join(uses)}; --force removes it all the same")
        if not dry_run:
            _delete(going)
    if as_json:
        print_json({"dry_run": dry_run, "folders": taken, "bytes": sum(taken.values()), "used_by": uses})
    else:
        _print(taken, uses, dry_run)


def _going(settings: Settings, wanted: Named) -> list[Fetched]:
    """Everything that lies here of it, complete or not."""
    found = places.commits(wanted.hub, settings.paths.models)
    if wanted.revision is not None:
        found = [each for each in found if each.is_at(wanted.revision)]
    if not found:
        at = f" at {wanted.revision}" if wanted.revision else ""
        raise UsageError(f"nothing of {wanted.hub}{at} is here; `vlmd models list` shows what is")
    return found


def _uses(settings: Settings, going: Sequence[Fetched]) -> list[str]:
    """Who would miss it, one phrase each."""
    configured = all_places(settings)
    uses = []
    for found in going:
        for name, pipelines in users_of(settings, configured, found.folder).items():
            by = f" (pipeline {', '.join(pipelines)})" if pipelines else ""
            uses.append(f"the configuration names it as model {name}{by}")
    loaded = _in_the_daemon(settings)
    uses += [f"the running daemon uses it as model {name}" for name, path in loaded if path in _paths(going)]
    return list(dict.fromkeys(uses))


def _in_the_daemon(settings: Settings) -> list[tuple[str, Path]]:
    try:
        status = Client(settings).status()
    except NotRunning:
        return []
    return [(model["name"], Path(model["path"])) for model in status.get("models", [])]


def _paths(going: Sequence[Fetched]) -> set[Path]:
    return {found.folder for found in going}


def _delete(going: Sequence[Fetched]) -> None:
    """Each out of the way first: half a checkpoint is never taken for a whole one."""
    for found in sorted(going, key=lambda each: each.state != "removing"):
        away = found.folder.with_name(f"{found.commit}{REMOVING}")
        try:
            os.rename(found.folder, away)
            shutil.rmtree(away)
        except OSError as error:
            raise VlmdError(
                f"{error.filename or found.folder} cannot be removed ({error.strerror}); run this as its owner"
            ) from error
        with contextlib.suppress(OSError):  # other commits are still in it
            found.folder.parent.rmdir()


def _print(taken: dict[str, int], uses: Sequence[str], dry_run: bool) -> None:
    verb = "would be removed" if dry_run else "removed"
    for folder, count in taken.items():
        click.echo(f"{verb}: {folder}, {size(count)}")
    for use in uses:
        click.echo(f"warning: {use}", err=True)
