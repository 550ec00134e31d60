"""What a shell offers at TAB: quick, silent where there is nothing to say. Imports little: every verb imports it."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_PATIENCE_SECONDS = 1.0
_MOST = 200
"""Jobs offered, the newest."""


def jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of jobs as the daemon lists them, newest first; none where no daemon answers."""
    from vlmd.cli import given
    from vlmd.cli.client import Client
    from vlmd.config import load_settings
    from vlmd.core.errors import VlmdError
    from vlmd.core.names import shown

    try:
        listed = Client(load_settings(given(context)), _PATIENCE_SECONDS).running_jobs(limit=_MOST)
    except VlmdError:  # nobody reads errors in the middle of a line
        return []
    words = {str(job["id"]): f"{job['state']} {shown(job['name'])}" for job in reversed(listed)}
    return [CompletionItem(number, help=said) for number, said in words.items() if number.startswith(incomplete)]


def results(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Pipelines and jobs; files where none of them is called so."""
    named = [*pipelines(context, parameter, incomplete), *jobs(context, parameter, incomplete)]
    return named or [CompletionItem(incomplete, type="file")]


def pipelines(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the configured pipelines; none where the settings are wrong."""
    from vlmd.cli import given
    from vlmd.config import load_settings
    from vlmd.core.errors import ConfigError

    try:
        settings = load_settings(given(context))
    except ConfigError:  # every other verb tells
        return []
    return [CompletionItem(name) for name in settings.pipelines if name.startswith(incomplete)]


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the configured models that come from the hub."""
    from vlmd.cli import given
    from vlmd.config import load_settings
    from vlmd.core.errors import ConfigError

    try:
        settings = load_settings(given(context))
    except ConfigError:  # every other verb tells
        return []
    of_hub = {name: model.hub for name, model in settings.models.items() if model.hub}
    return [CompletionItem(name, help=hub) for name, hub in of_hub.items() if name.startswith(incomplete)]


def plannable(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the configured models, and of those that vlmd knows."""
    from vlmd import catalog
    from vlmd.cli import given
    from vlmd.config import load_settings
    from vlmd.core.errors import ConfigError

    try:
        configured = list(load_settings(given(context)).models)
    except ConfigError:  # every other verb tells
        configured = []
    return [CompletionItem(name) for name in [*configured, *catalog.listed()] if name.startswith(incomplete)]
