"""CSV after RFC 4180: quoted where needed, lines end in CR LF, and no text in it is a formula.

Spreadsheets take text that begins with one of = + - @ for a formula, also after a tab. Such text gets an apostrophe
in front, unless it is a number. So does text that begins with an apostrophe: whoever takes one apostrophe off each text
that has one in front reads what was written.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from vlmd.core.names import plain

_STEERS = re.compile(r"['=+\-@\t\n\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Each row as one line; None is an empty cell, numbers are numbers, text is text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([cell(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def cell(value: object) -> object:
    """What is written of a value."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if _STEERS.match(text) and not _NUMBER.fullmatch(text) else text
