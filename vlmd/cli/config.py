"""Verbs about the settings: config check, show, path; reload."""

from __future__ import annotations

import os

import click

from vlmd.cli.client import Client
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, PipelineSettings, Settings, load_settings
from vlmd.config.changes import as_data
from vlmd.config.check import doubts
from vlmd.config.given import settings_variables
from vlmd.config.keys import dotted, leaves
from vlmd.config.load import Loaded, load
from vlmd.config.places import places
from vlmd.config.toml import as_toml
from vlmd.core.errors import ConfigError
from vlmd.supervisor.models import problems_of_models


@click.group()
def config() -> None:
    """Check the settings, show them, and say where they come from."""


@config.command()
@click.pass_obj
def check(given: Given) -> None:
    """Check every setting. Says what would run; exit code 78 and every mistake where something is wrong."""
    settings = load_settings(given)
    settings.require_runnable()
    _check_models(settings)
    for doubt in doubts(settings):
        click.echo(f"warning: {doubt}", err=True)
    click.echo(f"ok: {settings.source or 'no config file'}")
    for name, pipeline in settings.pipelines.items():
        click.echo(f"pipeline {name}: {_asked(pipeline)}")
    for name, model in settings.models.items():
        click.echo(f"model {name}: {model.origin}, precision {model.precision}, {model.max_batch} windows at once")
    use = settings.devices.use
    click.echo(f"devices: {'every GPU that may be seen' if use == 'auto' else ', '.join(use)}")


def _asked(pipeline: PipelineSettings) -> str:
    """What a pipeline does, in one line."""
    if pipeline.task == "ensemble":
        return f"merges what {', '.join(pipeline.of)} found"
    window = pipeline.window
    looks = f"looks for {len(pipeline.labels)} kinds of events" if pipeline.task == "events" else pipeline.task
    cut = {
        "sliding": f"{window.length:g} s every {window.step:g} s at {window.fps:g} pictures per second",
        "scenes": f"{window.most_frames} pictures of every scene",
        "whole": f"up to {window.most_frames} pictures of the whole video",
        "spans": f"up to {window.most_frames} pictures around {window.around or 'given moments'}",
    }[window.plan]
    return f"{pipeline.model} {looks}, {cut}"


def _check_models(settings: Settings) -> None:
    if problems := problems_of_models(settings):
        raise ConfigError(problems)


@config.command()
@click.option("--origin", is_flag=True, help="Say of each key where it was set.")
@json_option
@click.pass_obj
def show(given: Given, origin: bool, as_json: bool) -> None:
    """Show the settings that count, as a config file that would set them."""
    loaded = load(given)
    data = as_data(loaded.settings)
    if not as_json:
        click.echo(as_toml(data, loaded.origin if origin else lambda keys: None), nl=False)
    elif origin:
        print_json({dotted(keys): _with_origin(loaded, keys, value) for keys, value in leaves(data)})
    else:
        print_json(data)


def _with_origin(loaded: Loaded, keys: tuple[str, ...], value: object) -> dict[str, object]:
    return {"value": value, "origin": loaded.origin(keys)}


@config.command()
@click.pass_obj
def path(given: Given) -> None:
    """List the files that are looked for; a later one counts before an earlier one."""
    for place in places(given, os.environ):
        click.echo(f"{'read' if place.path.expanduser().is_file() else 'not there':<10}{place.path}")
    for variable in settings_variables(os.environ):
        click.echo(f"{'set':<10}{variable}")


@click.command()
@json_option
@click.pass_obj
def reload(given: Given, as_json: bool) -> None:
    """Let the daemon read its settings again. Says what changed, and what waits for a restart."""
    reloaded = Client(load_settings(given)).reload()
    if as_json:
        print_json(reloaded)
        return
    for key in reloaded["changed"]:
        click.echo(f"changed: {key}")
    for key in reloaded["restart"]:
        click.echo(f"needs a restart: {key}")
    if not reloaded["changed"] and not reloaded["restart"]:
        click.echo("nothing has changed")
    if jobs := reloaded["planned_again"]:
        click.echo(f"asked otherwise, or not any more: {len(jobs)} jobs", err=True)
