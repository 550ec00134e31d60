"""In which line of a TOML file a key stands: tomllib knows, and does not tell. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from vlmd.config.keys import Keys


def lines_of_keys(text: str) -> dict[Keys, int]:
    """Every key and section of a valid file, with the line it begins in."""
    found: dict[Keys, int] = {}
    section: Keys = ()
    for number, is_header, statement in _statements(text):
        above = () if is_header else section
        paths = [(*above, *keys) for keys in _paths(statement)]
        for keys in paths:
            found.setdefault(keys, number)
        if is_header:
            section = paths[-1]
            found[section] = number
    return found


def _statements(text: str) -> Iterator[tuple[int, bool, Mapping[str, Any]]]:
    """(first line, whether it is a header, content): lines are gathered until they are valid by themselves."""
    gathered, begin = "", 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not gathered:
            begin = number
            if not line.strip() or line.lstrip().startswith("#"):
                continue
        gathered += line + "\n"
        try:
            statement = tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue
        yield begin, gathered.lstrip().startswith("["), statement
        gathered = ""


def _paths(table: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    """Every path in nested tables, the sections' own included."""
    for name, value in table.items():
        yield (*above, name)
        if isinstance(value, Mapping):
            yield from _paths(value, (*above, name))
