"""`vlmd models`: a group of verbs. Each is a module of its own, `models_….py`, and one line here."""

from __future__ import annotations

import click

from vlmd.cli.models_fetch import fetch
from vlmd.cli.models_list import list_models
from vlmd.cli.models_remove import remove
from vlmd.cli.models_verify import verify
from vlmd.cli.plan_tables import print_catalog
from vlmd.cli.words import json_option


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """Show the models that vlmd knows, what each takes, and on what cards; or fetch, list, try and remove models.

    `vlmd plan MODEL` tells more of one.
    """
    if context.invoked_subcommand is None:
        print_catalog(as_json)


models.add_command(fetch)
models.add_command(list_models)
models.add_command(remove)
models.add_command(verify)
