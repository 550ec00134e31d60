"""What a format is. To add one: a module with its function, its line in `registry`, and its tasks in `core/formats`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from vlmd.core.formats import TASKS_OF
from vlmd.outputs.formats.shown import Result

Document = dict[str, Any]
"""A result document, `vlmd.result/1`."""


class Format(msgspec.Struct, frozen=True):
    name: str
    title: str
    """In a few words, for help and lists."""
    suffix: str
    """What takes the place of `.json` in the name of a result file."""
    holds: Literal["result", "game", "collection"]
    """What one file is made of: one result, the results of one game, or any number."""
    write: Callable[[Iterable[Result]], Iterator[str]] | None
    """The file's text, piece by piece; None for the document itself, of which nothing is left out."""

    @property
    def tasks(self) -> frozenset[str]:
        """Whose results it can show."""
        return TASKS_OF[self.name]
