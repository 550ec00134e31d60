"""`vlmd plan MODEL`: what a model takes and what fits, before anything of it is loaded, or even here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from vlmd import catalog
from vlmd.catalog.figures import CACHE, figures_of
from vlmd.cli import completing
from vlmd.cli.plan_tables import print_catalog, print_plan
from vlmd.cli.planned import Card, document, for_picture, imagined
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, Settings, load_settings
from vlmd.core.errors import UsageError
from vlmd.core.figures import Figures
from vlmd.core.names import shown
from vlmd.core.plans import Shape
from vlmd.supervisor.devices.discovery import every_gpu
from vlmd.supervisor.devices.memory import memory_of
from vlmd.supervisor.devices.nvml import Nvml, NvmlError
from vlmd.supervisor.figures import shape
from vlmd.weights import NotFetched, demo_folder, folder_of
from vlmd.weights.places import fetched

__all__ = ["plan", "print_catalog"]


@dataclass(frozen=True)
class Named:
    """What MODEL stands for."""

    name: str
    source: str
    """Where its figures come from, for people."""
    folder: Path
    asked: Shape


class _Picture(click.ParamType[tuple[int, int]]):
    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[int, int]:
        width, _, height = str(value).partition("x")
        if not (width.isdecimal() and height.isdecimal() and 0 < int(width) < 100_000 and 0 < int(height) < 100_000):
            self.fail(f"expected a width and a height in pixels, as in 1280x720, not {value!r}", param, context)
        return int(width), int(height)


@click.command()
@click.argument("model", shell_complete=completing.plannable)
@click.option("--gpu", type=click.FloatRange(1, 10_000), metavar="GB", multiple=True,
              help="A card with so many GB, which need not be here. Repeatable.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1, 1000), help="Frames a window. [default: 15, or the pipeline's]")
@click.option("--batch", type=click.IntRange(1, 4096), default=1, show_default=True, help="Windows answered at once.")
@click.option("--new", type=click.IntRange(1, 65536), help="Tokens of an answer. [default: 256, or the pipeline's]")
@click.option("--picture", type=_Picture(), default="1280x720", show_default=True, help="Size of the video's pictures.")
@json_option
@click.pass_obj
def plan(
    given: Given,
    model: str,
    gpu: tuple[float, ...],
    frames: int | None,
    batch: int,
    new: int | None,
    picture: tuple[int, int],
    as_json: bool,
) -> None:
    """Show what MODEL takes and what fits. Nothing is loaded or fetched.

    MODEL is a name of config.toml, a checkpoint's folder, or a name on the hub that `vlmd models` lists. Without --gpu
    the free memory of the cards in this machine counts.
    """
    settings = load_settings(given)
    named = resolve(model, settings)
    figures = for_picture(_figures(named, settings), *picture)
    asked = replace(named.asked, frames=frames or named.asked.frames, new_tokens=new or named.asked.new_tokens)
    cards = [imagined(each) for each in gpu] or asyncio.run(cards_here())
    said = {
        "model": named.name,
        "source": named.source,
        "picture": list(picture),
        **document(figures, asked, batch, cards),
    }
    print_json(said) if as_json else print_plan(said)


def resolve(model: str, settings: Settings) -> Named:
    """What a name stands for: a configured model, else a folder, else the catalog. Raises `UsageError`."""
    if model in settings.models:
        return _configured(model, settings)
    if (Path(model) / "config.json").is_file():
        return Named(model, "as its folder says", Path(model).absolute(), Shape())
    if model == catalog.DEMO:
        return Named(model, "comes with vlmd", demo_folder(), Shape())
    full = catalog.find(model)
    if (here := fetched(full or model, None, settings.paths.models)) is not None:
        return Named(here.hub, "as it was fetched", here.folder, Shape())
    if full is not None:
        return Named(full, "in the catalog of vlmd", catalog.folders()[full], Shape())
    if Path(model).is_dir():
        raise UsageError(f"{shown(model)} holds no config.json; name the folder of a checkpoint")
    near = catalog.closest(model, settings.models)
    meant = f"did you mean {' or '.join(near)}?" if near else "`vlmd models` lists the names that are"
    raise UsageError(f"{shown(model)} is no configured model, no folder and no name that vlmd knows; {meant}")


def _configured(name: str, settings: Settings) -> Named:
    """One that was not fetched yet may be in the catalog."""
    model, asked = settings.models[name], shape(settings, name)
    try:
        return Named(name, "named in config.toml", folder_of(model, settings.paths.models), asked)
    except NotFetched as error:
        full = catalog.find(model.hub or "")
        if full is None:
            raise UsageError(f"{error}; run `vlmd models fetch {name}`") from error
        return Named(name, f"not fetched yet; as {full} in the catalog of vlmd", catalog.folders()[full], asked)


def _figures(named: Named, settings: Settings) -> Figures:
    say: Callable[[str], None] = lambda words: click.echo(words, err=True)  # noqa: E731
    answer = figures_of([named.folder], settings.paths.state / CACHE, say)[named.folder]
    if isinstance(answer, str):
        raise UsageError(answer)
    return answer


async def cards_here() -> list[Card]:
    """The GPUs of this machine and their free memory; none where no driver answers."""
    nvml = Nvml()
    try:
        devices = every_gpu(await nvml.cards())
    except NvmlError:
        return []
    found = []
    for device in devices:
        memory = await memory_of(device, nvml)
        if memory is not None:
            found.append(Card(f"{device.name} {device.label}", memory.total, memory.free))
    return found
