"""Columns that do not move: their widths follow from the screen's width alone, never from what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.text import Text

from vlmd.tui.cells import fitted

T = TypeVar("T")
Cell = str | Text | Callable[[int], Text]
"""Text, or a function that fills a width."""


@dataclass(frozen=True)
class Column(Generic[T]):
    title: str
    cell: Callable[[T], Cell]
    least: int
    """Cells it takes at least."""
    right: bool = False
    grow: int = 0
    """Its share of what is left over."""
    most: int = 1000
    rank: int = 0
    """Where there is too little room, the columns of the highest rank are left out."""


def grid(columns: Sequence[Column[T]], rows: Iterable[T], width: int) -> list[Text]:
    """A line of titles, then one for each row."""
    taken = widths(columns, width)
    titles = [fitted(Text(column.title, style="bold"), wide, column.right) for column, wide in taken]
    return [_line(titles), *(_line([_filled(column, row, wide) for column, wide in taken]) for row in rows)]


def widths(columns: Sequence[Column[Any]], width: int) -> list[tuple[Column[Any], int]]:
    """The columns that fit, each with its width."""
    kept = list(columns)
    while _taken([column.least for column in kept]) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    found = [column.least for column in kept]
    _share_out(kept, found, width - _taken(found))
    return list(zip(kept, found, strict=True))


def _taken(found: Sequence[int]) -> int:
    """Cells of a line: the columns, and one between any two."""
    return sum(found) + len(found) - 1


def _share_out(columns: Sequence[Column[Any]], found: list[int], over: int) -> None:
    """Give the cells that are left over to the columns that grow, one by one to the one furthest behind."""
    for _ in range(over):
        able = [at for at, column in enumerate(columns) if column.grow and found[at] < column.most]
        if not able:
            return
        found[min(able, key=lambda at: (found[at] - columns[at].least) / columns[at].grow)] += 1


def _filled(column: Column[T], row: T, width: int) -> Text:
    cell = column.cell(row)
    return fitted(cell(width) if callable(cell) else cell, width, column.right)


def _line(cells: Sequence[Text]) -> Text:
    line = Text(" ").join(cells)
    line.rstrip()
    return line
