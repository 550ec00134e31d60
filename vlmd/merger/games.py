"""Formats of which one file holds a game: written anew for each half that ends, of the halves that are there.

Mergers publish one at a time, so that of two halves that end at once the later one finds the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.outputs.formats import FORMATS, Document, Format, pieces
from vlmd.outputs.formats.soccernet import FILE, other_half
from vlmd.outputs.write import Draft


def waits_for_game(target: Path, fmt: Format) -> bool:
    """Whether this format of the result at `target` goes into a file that its game's other half shares."""
    return fmt.holds == "game" and other_half(target.name) is not None


def write_games(target: Path, root: Path, outputs: Iterable[str]) -> None:
    """The game of the result at `target`, beside it. Raises `UsageError`, and `OSError` for what cannot be written."""
    for fmt in [FORMATS[name] for name in outputs if waits_for_game(target, FORMATS[name])]:
        halves = [target, target.with_name(str(other_half(target.name)))]
        draft = Draft(target.with_name(FILE), root)
        draft.write(pieces(fmt, [_document(path) for path in halves if path.exists()]))
        draft.publish()


def _document(path: Path) -> Document:
    try:
        document: Document = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{shown(str(path))} is no result; move it away, and `vlmd retry` this job") from error
    return document
