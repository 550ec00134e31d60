"""`vlmd export`: results in the formats of other programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click
import msgspec

from vlmd.cli.bars import Doing
from vlmd.cli.results import NAMED_EVERY, documents, is_unfinished, results_argument
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given
from vlmd.core.errors import UsageError, VlmdError
from vlmd.core.names import result_base, shown
from vlmd.outputs.formats import FORMATS, Document, Format, pieces
from vlmd.outputs.formats.shown import read
from vlmd.outputs.formats.soccernet import FILE, game_of
from vlmd.outputs.write import Draft

_TITLES = "; ".join(f"{fmt.name}: {fmt.title}" for fmt in FORMATS.values())


@click.command()
@results_argument
@click.option("-f", "--format", "name", type=click.Choice(list(FORMATS)), required=True, help=f"{_TITLES}.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file, a folder, or - for stdout. [default: a file here, named after the video]",
)
@json_option
@click.pass_obj
def export(given: Given, results: tuple[str, ...], name: str, output: Path | None, as_json: bool) -> None:
    """Write results in another format. Each is a job's number, done or not, a pipeline, a result's file, or a folder of
    results. A file that is there already is replaced only where --output names it."""
    fmt = FORMATS[name]
    with Doing() as doing:
        found = _told(documents(given, results), doing)
        if output == Path("-"):
            _print(fmt, _files(fmt, found, None))
            return
        written = [str(_written(fmt, path, some, path == output)) for path, some in _files(fmt, found, output)]
    if as_json:
        print_json({"written": written})
    for path in [] if as_json else written:
        click.echo(f"written: {shown(path)}", err=True)


def _told(found: Iterable[tuple[str, Document]], doing: Doing) -> Iterator[Document]:
    """The documents; whatever is only a result so far is told of."""
    for number, (name, document) in enumerate(found, 1):
        if is_unfinished(document):
            left = document["coverage"]["pending"]
            with doing.aside():
                click.echo(f"{name} is so far only: {left} windows are still to be answered", err=True)
        if number % NAMED_EVERY == 0:
            doing.say(f"{number} results read")
        yield document


def _files(fmt: Format, found: Iterator[Document], output: Path | None) -> Iterator[tuple[Path, Iterable[Document]]]:
    """What goes into which file."""
    if fmt.holds == "collection":
        yield _collection(fmt, found, output)
    elif fmt.holds == "game":
        yield from _games(found, output)
    else:
        yield from _each(fmt, found, output)


def _collection(fmt: Format, found: Iterator[Document], output: Path | None) -> tuple[Path, Iterable[Document]]:
    """All in one file: named after the video where there is one, else after what they are."""
    first = next(found)
    second = next(found, None)
    name = f"results{fmt.suffix}" if second else _name(first, fmt)
    return _within(output, name), chain([first], [second] if second else [], found)


def _each(fmt: Format, found: Iterator[Document], output: Path | None) -> Iterator[tuple[Path, Iterable[Document]]]:
    taken = set[Path]()
    for document in found:
        path = _within(output, _name(document, fmt))
        if path in taken:
            raise UsageError(f"two of the results would be written to {shown(str(path))}; name them one by one")
        taken.add(path)
        yield path, [document]


def _games(found: Iterator[Document], output: Path | None) -> Iterator[tuple[Path, Iterable[Document]]]:
    """Each game in its folders; of each result only what is shown is kept until then."""
    games: dict[str, list[Document]] = {}
    for document in found:
        result = read(document)
        games.setdefault(game_of(result.place)[0], []).append(msgspec.to_builtins(result))
    for game, halves in games.items():
        yield _within(output, f"{result_base(game.encode())}/{FILE}".lstrip("/"), alone=len(games) == 1), halves


def _name(document: Document, fmt: Format) -> str:
    """The video's name, made harmless, and what it is."""
    name = read(document).place.rpartition("/")[2]
    return (result_base(name.encode()) or "result") + fmt.suffix


def _within(output: Path | None, name: str, alone: bool = True) -> Path:
    """Where a file goes: below a folder that was named, to the file that was, or here."""
    if output is None:
        return Path(name)
    return output / name if output.is_dir() or not alone else output


def _written(fmt: Format, path: Path, some: Iterable[Document], named: bool) -> Path:
    """Whole or not at all."""
    if path.exists() and not named:
        raise UsageError(f"{shown(str(path))} is there already; name it with --output to have it replaced")
    draft = Draft(path.absolute(), Path("/"))
    try:
        draft.write(pieces(fmt, some))
        draft.publish()
    except OSError as error:
        raise VlmdError(f"{shown(str(path))} cannot be written: {error.strerror}") from error
    return path


def _print(fmt: Format, files: Iterable[tuple[Path, Iterable[Document]]]) -> None:
    for number, (_, some) in enumerate(files):
        if number:
            raise UsageError(f"several files of {fmt.name} do not fit stdout; name a folder with --output")
        for piece in pieces(fmt, some):
            click.echo(piece, nl=False)
