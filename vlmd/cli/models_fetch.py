"""`vlmd models fetch`: the one verb that uses a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import click

from vlmd import __version__
from vlmd.cli.bars import Transfer
from vlmd.cli.models_named import Named, name_argument, named
from vlmd.cli.words import size
from vlmd.config import Given, Settings, load_settings
from vlmd.core.names import shown
from vlmd.weights import hub as hubs
from vlmd.weights import places


@click.command()
@name_argument
@click.option("--revision", help="A branch, a tag or a commit. [default: main]")
@click.option("--update", is_flag=True, help="See whether the hub has a newer commit, and fetch that.")
@click.pass_obj
def fetch(given: Given, name: str, revision: str | None, update: bool) -> None:
    """Load a model from the hub into paths.models. NAME is a configured model, or "owner/name" on the hub.

    Only safetensors and what belongs to them are loaded, never code. Interrupted, it goes on where it was. Once
    complete, the same commit is used until --update. HF_TOKEN (or a systemd credential hf_token) is needed for gated
    models; HF_ENDPOINT names another hub. Writes the folder to stdout.
    """
    settings = load_settings(given)
    wanted = named(settings, name, revision)
    click.echo(shown(str(fetch_named(settings, wanted, update))))


def fetch_named(settings: Settings, wanted: Named, update: bool = False) -> Path:
    """The folder of a complete checkpoint; shows how far it is. Raises `VlmdError`."""
    with Telling(str(wanted)) as telling:
        hub = hubs.Hub.of(os.environ, f"vlmd/{__version__}", telling.say)
        models = settings.paths.models
        try:
            found = hubs.fetch(hub, wanted.hub, wanted.revision, models, telling, update)
        except KeyboardInterrupt:
            telling.say("what has arrived is kept; run it again to go on there")
            raise
        finally:
            hub.close()
    _say_what_is_there(wanted, found, telling.loaded)
    return found.folder


def _say_what_is_there(wanted: Named, found: places.Fetched, loaded: bool) -> None:
    done = "fetched" if loaded else "is here already; --update looks for a newer commit"
    click.echo(f"{wanted}: {found.hub} at {found.commit[:12]}, {done}", err=True)
    if wanted.model is None:
        click.echo(f'to use it, add a model with hub = "{found.hub}" to config.toml', err=True)


class Telling:
    """Hears how a fetch goes and shows it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transfer: Transfer | None = None

    @property
    def loaded(self) -> bool:
        """Something was fetched."""
        return self._transfer is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        if self._transfer is not None:
            self._transfer.__exit__(None, None, None)

    def planned(self, plan: hubs.Plan) -> None:
        missing = "" if plan.missing == plan.size else f", of which {size(plan.missing)} are missing"
        self.say(
            f"{plan.name} at {plan.revision} ({plan.commit[:12]}): {plan.files} files, {size(plan.size)}{missing}; "
            f"{size(plan.free)} free in {plan.folder.parent}"
        )
        self._transfer = Transfer(self._name, plan.size - plan.missing, plan.size)
        self._transfer.__enter__()

    def arrived(self, count: int) -> None:
        if self._transfer is not None:
            self._transfer.arrived(count)

    def say(self, text: str) -> None:
        if self._transfer is not None:
            self._transfer.say(text)
        else:
            click.echo(shown(text), err=True)
