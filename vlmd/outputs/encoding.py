"""JSON as vlmd writes it: keys in their order, text readable, numbers finite, nothing in it that steers a terminal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from vlmd.core.names import safe_json

_PIECES = 4096
"""Of an encoder, in one chunk: some tens of kilobytes."""


def chunks(document: dict[str, Any]) -> Iterator[str]:
    """A result as it is written, indented, piece by piece: no second copy of a long one. `ValueError` for NaN."""
    pieces = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).iterencode(document)
    while some := "".join(itertools.islice(pieces, _PIECES)):
        yield safe_json(some)
    yield "\n"


def as_text(document: dict[str, Any]) -> str:
    """The same in one piece."""
    return "".join(chunks(document))


def compact(value: Any) -> str:
    """One line of JSON."""
    return safe_json(json.dumps(value, ensure_ascii=False, allow_nan=False))


def array(items: Iterable[Iterable[str]], indent: str = "") -> Iterator[str]:
    """A list of items that are JSON already, each in pieces and on a line of its own."""
    yield "["
    for number, pieces in enumerate(items):
        yield f"{',' if number else ''}\n{indent}  "
        yield from pieces
    yield f"\n{indent}]"
