"""Settings written as TOML, so that what is shown can be saved and read again. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from vlmd.config.keys import Keys, dotted, written


def as_toml(data: Mapping[str, Any], remark: Callable[[Keys], str | None] = lambda keys: None) -> str:
    """Nested tables of texts, numbers, booleans and lists; `remark` may say something about each key."""
    return "\n".join(_section(data, (), remark)).lstrip("\n") + "\n"


def _section(table: Mapping[str, Any], above: Keys, remark: Callable[[Keys], str | None]) -> list[str]:
    values = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    lines = ["", f"[{dotted(above)}]"] if above and (values or not table) else []
    for name, value in values.items():
        said = remark((*above, name))
        lines.append(f"{written(name)} = {as_value(value)}" + (f"  # {_escaped(said)}" if said else ""))
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += _section(value, (*above, name), remark)
    return lines


def as_value(value: Any) -> str:
    """One value on the right of an equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_value(entry) for entry in value)}]"
    return _text(str(value))


def _text(text: str) -> str:
    """Over several lines where it has them."""
    if "\n" not in text:
        return f'"{_escaped(text)}"'
    return '"""\n' + "\n".join(_escaped(line) for line in text.split("\n")) + '"""'


def _escaped(line: str) -> str:
    """JSON escapes what TOML escapes, but for DEL."""
    return json.dumps(line, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
