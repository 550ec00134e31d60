"""`vlmd models verify`: a model is loaded and tried on pictures of which it is known how it must behave."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from vlmd.cli.bars import Doing
from vlmd.cli.models_named import name_argument
from vlmd.cli.words import json_option, print_json, print_table
from vlmd.config import Given, load_settings
from vlmd.core.errors import UsageError, VlmdError
from vlmd.supervisor.verified import Entry
from vlmd.supervisor.verifying import verify_model


@click.command()
@name_argument
@json_option
@click.pass_obj
def verify(given: Given, name: str, as_json: bool) -> None:
    """Load the configured model NAME on the first device and try it on canary windows.

    Its numbers must be finite, a batch must say what its windows say alone, pictures must make a difference, and
    answers must end. The daemon does the same at a model's first load.
    """
    settings = load_settings(given)
    if name not in settings.models:
        known = ", ".join(settings.models) or "none is configured"
        raise UsageError(f"there is no [models.{name}] section; there is: {known}")
    with Doing() as doing:
        doing.say(f"looking up the revision of {name}")
        entry = asyncio.run(verify_model(settings, name, doing.say))
    if as_json:
        print_json(document(entry))
    else:
        print_entry(entry)
    if not entry.ok:
        raise VlmdError(f"{name} did not pass: try another precision, or fetch it again")


def print_entry(entry: Entry) -> None:
    click.echo(f"{entry.model}, {entry.precision}, on {entry.device}")
    print_table(("CHECK", "PASSED", "FOUND"), ((c.name, "yes" if c.ok else "no", c.said) for c in entry.checks))


def document(entry: Entry) -> dict[str, Any]:
    """For JSON."""
    said: dict[str, Any] = msgspec.to_builtins(entry)
    return {**said, "ok": entry.ok}
