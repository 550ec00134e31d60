"""`vlmd init`: from nothing to the first answers. Each step can be repeated; what is done already stays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vlmd.cli.bars import Doing
from vlmd.cli.init_choice import Choice, Options, parse_labels
from vlmd.cli.init_config import commanded, settings_there, settings_without, target, write
from vlmd.cli.init_machine import look
from vlmd.cli.init_words import machine_document, tell_machine
from vlmd.cli.models_fetch import fetch_named
from vlmd.cli.models_named import Named
from vlmd.cli.models_verify import document, print_entry
from vlmd.cli.trial import tried
from vlmd.cli.words import console, json_option, print_json
from vlmd.config import Given, ModelSettings, Settings
from vlmd.core.errors import VlmdError
from vlmd.core.names import shown
from vlmd.supervisor.folders import make_folders
from vlmd.supervisor.models import check_model
from vlmd.supervisor.verified import Entry
from vlmd.supervisor.verifying import remembered, verify_model
from vlmd.weights import NotFetched, folder_of

_WINDOWS = 5
_PRECISIONS = ("auto", "nf4", "int8", "bf16", "fp16", "fp32")


@click.command()
@click.option("--model", metavar="NAME", help="A model of `vlmd models`, another of the hub, or a checkpoint's folder.")
@click.option("--precision", type=click.Choice(_PRECISIONS), help="Of its weights. [default: what suits the device]")
@click.option("--pipeline", metavar="NAME", help="Name of the pipeline, and of its folder. [default: soccer]")
@click.option("--labels", metavar="A,B", help="The events to look for. [default: SoccerNet's, for soccer]")
@click.option("--video", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Try five windows of it.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="The file to write. [default: yours]")
@click.option("--force", is_flag=True, help="Write it anew where it is there already; a copy is kept.")
@click.option(
    "--no-fetch", is_flag=True, help="Do not use the network: write the file, and go on if the model is here."
)
@click.option("--yes", is_flag=True, help="Take what is proposed, and ask nothing.")
@json_option
@click.pass_obj
def init(
    given: Given,
    model: str | None,
    precision: str | None,
    pipeline: str | None,
    labels: str | None,
    video: Path | None,
    config: Path | None,
    force: bool,
    no_fetch: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Set vlmd up: propose a model that fits this machine, write config.toml, fetch and check the model, try it.

    Where config.toml is there already it goes on with that: it fetches what is missing, and tries it.
    """
    given = Given(config or given.file, given.sets)
    chosen = None if labels is None else parse_labels(labels)
    options = Options(model, None if precision == "auto" else precision, pipeline, chosen, yes, as_json)
    Init(given, options, video).run(force, fetch=not no_fetch)


class Init:
    """The steps, and what came of them as one document."""

    def __init__(self, given: Given, options: Options, video: Path | None) -> None:
        self._given = given
        self._options = options
        self._video = video
        self._target = target(given, os.environ)
        self._out = console(stderr=options.as_json)
        self._said: dict[str, Any] = {"config": str(self._target), "written": False}

    def run(self, force: bool, fetch: bool) -> None:
        settings, pipeline = settings_there(self._given, self._target, self._options, force) or self._chosen(force)
        name = settings.pipelines[pipeline].model
        self._said |= {"pipeline": pipeline, "model": name}
        with self._what_is_done_stays():
            here = self._fetch(settings, name, fetch)
            entry = self._verify(settings, name) if here else None
            if here and (video := self._video or self._asked_video()):
                self._try(settings, pipeline, video)
        self._next(settings, pipeline, name, here)
        if self._options.as_json:
            print_json(self._said)
        if entry is not None and not entry.ok:
            raise VlmdError(f"{name} did not pass its checks, see above: try another precision, or fetch it again")

    # --- steps ------------------------------------------------------------------------------------------------

    def _chosen(self, force: bool) -> tuple[Settings, str]:
        """Look at the machine, let somebody choose, write the file."""
        self._options.require_answers()
        before = settings_without(self._given, force)
        machine = asyncio.run(look(before.devices))
        self._said["devices"] = machine_document(machine)
        tell_machine(self._out, machine)
        choice = Choice(self._options, before, machine)
        first = choice.made()
        self._said |= choice.document
        settings, kept = write(self._given, self._target, first, force, self._options, self._out)
        self._said |= {"written": True, "kept": str(kept) if kept else None}
        return settings, first.pipeline

    def _fetch(self, settings: Settings, name: str, fetch: bool) -> bool:
        """Whether the model lies here afterwards."""
        model = settings.models[name]
        here = _lies_here(model, settings.paths.models)
        if model.hub and fetch and not here:
            fetch_named(settings, Named(model.hub, model.revision, name))
            here = True
        elif here:
            self._tell(f"{name} lies here already")
        self._said["fetched"] = here
        if here:
            check_model(name, model, settings.paths.models)
        return here

    def _verify(self, settings: Settings, name: str) -> Entry:
        make_folders(settings)
        with Doing() as doing:
            doing.say(f"looking up the revision of {name}")
            known = asyncio.run(remembered(settings, name))
            entry = known if known and known.ok else asyncio.run(verify_model(settings, name, doing.say))
        self._said["verified"] = document(entry)
        if entry is known:
            self._tell(f"{name} passed its checks before")
        elif not self._options.as_json:
            print_entry(entry)
        return entry

    def _asked_video(self) -> Path | None:
        if not self._options.asks:
            return None
        said = click.prompt(
            "A video to try it on; empty for none", default="", show_default=False, err=self._options.as_json,
            value_proc=_video,
        )  # fmt: skip
        return Path(said).expanduser() if said else None

    def _try(self, settings: Settings, pipeline: str, video: Path) -> None:
        self._tell(f"{_WINDOWS} windows of {shown(video.name)}:")
        found = asyncio.run(tried(settings, pipeline, video.absolute(), _WINDOWS, self._options.as_json))
        self._said["answers"] = found
        if not found:
            raise VlmdError(f"not one window of {shown(str(video))} was answered; try another video")

    def _next(self, settings: Settings, pipeline: str, name: str, here: bool) -> None:
        command = commanded(self._given)
        inbox, results = (shown(str(folder / pipeline)) for folder in (settings.paths.inbox, settings.paths.results))
        lines = [] if here else [f"{command} models fetch {name}"]
        if "answers" not in self._said:
            lines.append(f"{command} try {pipeline} VIDEO")
        self._tell("\nNext, start the daemon and drop videos into the inbox:\n")
        for line in [*lines, f"{command} run", f"cp VIDEO {inbox}/"]:
            self._tell(f"    {line}")
        self._tell(f"\nResults appear in {results}/.")

    # --- words ------------------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        self._out.print(text, soft_wrap=True)

    @contextmanager
    def _what_is_done_stays(self) -> Iterator[None]:
        try:
            yield
        except (VlmdError, KeyboardInterrupt):
            again = f"{commanded(self._given)} init"
            click.echo(f"{shown(str(self._target))} stays; `{again}` goes on from here", err=True)
            raise


def _lies_here(model: ModelSettings, models: Path) -> bool:
    try:
        folder_of(model, models)
    except NotFetched:
        return False
    return True


def _video(said: str) -> str:
    if said and not Path(said).expanduser().is_file():
        raise click.UsageError(f"{shown(said)} is no file")
    return said
