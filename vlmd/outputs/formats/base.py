"""What a format is. To add one: a module with its function, and its line in `registry`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from vlmd.outputs.formats.shown import Result

Document = dict[str, Any]
"""A result document, `vlmd.result/1`."""
TIMED = frozenset({"events", "ensemble", "caption", "text", "feedback"})
"""Tasks whose results say when."""
EVERY = TIMED | {"choice"}


class Format(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    """In a few words, for help and lists."""
    suffix: str
    """What takes the place of `.json` in the name of a result file."""
    tasks: frozenset[str]
    """Whose results it can show."""
    holds: Literal["result", "game", "collection"]
    """What one file is made of: one result, the results of one game, or any number."""
    write: Callable[[Iterable[Result]], Iterator[str]] | None
    """The file's text, piece by piece; None for the document itself, of which nothing is left out."""
