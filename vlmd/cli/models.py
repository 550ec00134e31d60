"""`vlmd models`: a group of verbs. Each is a module of its own, `models_….py`, and one line here."""

from __future__ import annotations

import click

from vlmd.cli.models_fetch import fetch
from vlmd.cli.models_list import list_models
from vlmd.cli.models_remove import remove
from vlmd.cli.models_verify import verify


@click.group()
def models() -> None:
    """Fetch models from the hub, list them, try them, remove them."""


models.add_command(fetch)
models.add_command(list_models)
models.add_command(remove)
models.add_command(verify)
