"""Which checkpoint of the hub a name on the command line means: a configured model's, or "owner/name" itself."""

from __future__ import annotations

from typing import NamedTuple

import click

from vlmd.cli.completing import models as complete
from vlmd.config import Settings
from vlmd.core.errors import UsageError
from vlmd.core.hub_names import is_hub_name, is_revision

name_argument = click.argument("name", shell_complete=complete)


class Named(NamedTuple):
    """A repository and a revision of it; `model` where a configured model means it."""

    hub: str
    revision: str | None
    model: str | None

    def __str__(self) -> str:
        return self.model or self.hub


def named(settings: Settings, name: str, revision: str | None) -> Named:
    """Raises `UsageError` for what is no model of the hub."""
    if revision is not None and not is_revision(revision):
        raise UsageError(f'"{revision}" is no revision; name a branch, a tag or a commit')
    if name in settings.models:
        return _configured(settings, name, revision)
    if is_hub_name(name):
        return Named(name, revision, None)
    known = ", ".join(name for name, model in settings.models.items() if model.hub)
    there = f"those of the hub are: {known}" if known else "none is configured with hub"
    raise UsageError(f'"{name}" is no configured model ({there}) and no "owner/name"; name one of them')


def _configured(settings: Settings, name: str, revision: str | None) -> Named:
    model = settings.models[name]
    if model.hub is None:
        raise UsageError(f"{name} lies in a folder of its own, {model.path}, which vlmd leaves alone; see its path")
    if revision is not None and revision != model.revision:
        raise UsageError(f"the configuration says which revision {name} is; change models.{name}.revision instead")
    return Named(model.hub, model.revision, name)
