"""How things are written for people: times, sizes, tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vlmd.core.names import safe_json, shown

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def print_json(document: Any) -> None:
    """Readable in a file; on a terminal whatever is not ASCII is escaped, so that no text in it can steer it."""
    click.echo(safe_json(json.dumps(document, ensure_ascii=sys.stdout.isatty(), indent=2)))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table; cells are text, never markup, whatever they hold."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown("" if cell is None else str(cell))) for cell in row))
    console().print(table)


def console(stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False, emoji=False, markup=False)


def nearest(path: str, most: int = 48) -> str:
    """A long path by its last folders, with the file: as many as fit, the file in any case."""
    *folders, kept = path.split("/")
    for folder in reversed(folders):
        if len(path) > most and len(kept) + len(folder) + 3 > most:
            return f"…/{kept}"
        kept = f"{folder}/{kept}"
    return kept


def clock(seconds: float) -> str:
    """Seconds as H:MM:SS or M:SS, with tenths where they are not zero."""
    tenths = round(seconds * 10)
    whole, rest = divmod(tenths, 10)
    hours, minutes = divmod(whole // 60, 60)
    text = f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{text}.{rest}" if rest else text


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def compared(planned: float | None, used: float | None) -> str:
    """What memory was planned to be taken, and what was."""
    return f"{size(planned)} planned, " + ("not measured (no GPU)" if used is None else f"{size(used)} used")


def size(count: float | None) -> str:
    """Bytes, readable."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
