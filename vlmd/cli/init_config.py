"""The file that `vlmd init` writes, or finds written."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from rich.console import Console

from vlmd import catalog
from vlmd.cli.init_choice import Options
from vlmd.config import Given, Settings, load_settings
from vlmd.config.first import First, first_config
from vlmd.config.load import load, parse_settings
from vlmd.config.places import SYSTEM_CONFIG, user_config
from vlmd.config.writing import write_config
from vlmd.core.errors import UsageError, VlmdError
from vlmd.core.names import shown

_NAMED, _NAMED_VARIABLES = ("models.", "pipelines."), ("VLMD_MODELS__", "VLMD_PIPELINES__")


def target(given: Given, environ: Mapping[str, str]) -> Path:
    """The file that was asked for, or the user's."""
    asked = given.file or (Path(environ["VLMD_CONFIG"]) if environ.get("VLMD_CONFIG") else None)
    return (asked or user_config(environ) or SYSTEM_CONFIG).expanduser().absolute()


def commanded(given: Given) -> str:
    """`vlmd` as it has to be called to find the same file."""
    return f"vlmd --config {shlex.quote(str(given.file))}" if given.file else "vlmd"


def settings_there(given: Given, path: Path, options: Options, force: bool) -> tuple[Settings, str] | None:
    """The settings and the pipeline to go on with; None where there are none yet. Raises `UsageError`."""
    if force or (_stands_alone(given) and not path.exists()):
        return None
    files = _files(given, given.file)
    if not files.pipelines or not files.models:
        if path.exists():
            raise UsageError(
                f"{path} is there and has no model or no pipeline; add them, or --force, which keeps a copy"
            )
        return None
    settings = load_settings(given)
    pipeline = options.pipeline or next(iter(settings.pipelines))
    _check_agrees(settings, pipeline, options)
    click.echo(f"{shown(str(settings.source))} is there already; going on with its pipeline {pipeline}", err=True)
    return settings, pipeline


def settings_without(given: Given, force: bool) -> Settings:
    """Those that count before the file is written."""
    return _files(given, Path(os.devnull) if _stands_alone(given) or force else None)


def _files(given: Given, file: Path | None) -> Settings:
    """The settings but for what is set of models and pipelines, which a file that is not written yet has."""
    sets = tuple(each for each in given.sets if not each.lstrip().startswith(_NAMED))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_NAMED_VARIABLES)}
    return load(Given(file, sets), environ).settings


def _effective(text: str) -> Iterator[str]:
    """A config file without its comments, and without sections that hold nothing else."""
    section = None
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#"):
            if section:
                yield section
            section = None
            yield line


def write(
    given: Given, path: Path, first: First, force: bool, options: Options, out: Console
) -> tuple[Settings, Path | None]:
    """Show what is about to be written, write it, read it; also returns the copy of what lay there."""
    text = first_config(first)
    parse_settings(tomllib.loads(text), path.parent, path)
    out.print(f"\nThis goes into {shown(str(path))}, with comments:\n", soft_wrap=True)
    for line in _effective(text):
        out.print(f"    {shown(line)}", soft_wrap=True)
    out.print()
    if options.asks and not click.confirm("Write it?", default=True, err=options.as_json):
        raise VlmdError("nothing was written or fetched; run `vlmd init` again when you know what to choose")
    kept = write_config(path, text, force)
    if kept is not None:
        out.print(f"what lay there is kept as {shown(str(kept))}", soft_wrap=True)
    return load_settings(given), kept


def _stands_alone(given: Given) -> bool:
    return given.file is not None or bool(os.environ.get("VLMD_CONFIG"))


def _check_agrees(settings: Settings, pipeline: str, options: Options) -> None:
    """What is asked for now is what the file says."""

    def refuse(what: str) -> UsageError:
        return UsageError(
            f"{settings.source} is there already and {what}; change it there, or --force, which keeps a copy"
        )

    if pipeline not in settings.pipelines:
        raise refuse(f"has no pipeline {pipeline}, only {', '.join(settings.pipelines)}")
    asked = settings.pipelines[pipeline]
    model = settings.models[asked.model]
    if options.model and options.model != asked.model and (catalog.find(options.model) or options.model) not in (
        model.hub, model.path,
    ):  # fmt: skip
        raise refuse(f"{pipeline} uses {asked.model} ({model.origin}), not {options.model}")
    if options.precision and options.precision != model.precision:
        raise refuse(f'{asked.model} has precision "{model.precision}", not "{options.precision}"')
    if options.labels and options.labels != asked.labels:
        raise refuse(f"{pipeline} looks for other labels")
