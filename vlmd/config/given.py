"""Settings that are given with a command: `--set section.key=value`, and VLMD_SECTION__KEY in the environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmd.config.keys import Keys, wants_text
from vlmd.config.layers import Layer

_PREFIX, _BETWEEN = "VLMD_", "__"


@dataclass(frozen=True)
class Given:
    """What the command line says of the settings."""

    file: Path | None = None
    """`--config`"""
    sets: tuple[str, ...] = ()
    """`--set`, one after another"""


def settings_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables that set a key. VLMD_CONFIG and others without a double underscore are none."""
    return sorted(name for name in environ if name.startswith(_PREFIX) and _BETWEEN in name)


def environment_layer(environ: Mapping[str, str], below: Mapping[str, Any]) -> Layer:
    """What the environment sets; `below` holds the names of models and pipelines that a variable may mean."""
    problems: list[str] = []
    values: list[tuple[str, Keys, str]] = []
    for variable in settings_variables(environ):
        try:
            values.append((variable, _keys_of(variable, below), environ[variable]))
        except ValueError as error:
            problems.append(f"{variable}: {error}")
    return _layer("environment", values, problems)


def option_layer(sets: Sequence[str]) -> Layer:
    """What `--set` options set, the later over the earlier."""
    problems: list[str] = []
    values: list[tuple[str, Keys, str]] = []
    for text in sets:
        key, equals, value = text.partition("=")
        keys = _parsed_key(key) if equals else None
        if keys is None:
            problems.append(f"--set {text}: expected section.key=value, such as limits.load_seconds=60")
        else:
            values.append((f"--set {key.strip()}", keys, value.strip()))
    return _layer("command line", values, problems)


def _keys_of(variable: str, below: Mapping[str, Any]) -> Keys:
    """Dotted path of a variable: words in small letters, and a name that a section below has as it is written there."""
    parts = [part.lower() for part in variable.removeprefix(_PREFIX).split(_BETWEEN)]
    section = below.get(parts[0])
    if parts[0] in ("models", "pipelines") and isinstance(section, Mapping):
        parts[1] = _meant(parts[1], [str(name) for name in section])
    return tuple(parts)


def _meant(word: str, names: Sequence[str]) -> str:
    """The name that a variable means: it can hold no "-" and ".", and writes "_" for both."""
    if word in names:
        return word
    alike = [name for name in names if re.sub(r"[-.]", "_", name) == word]
    if len(alike) > 1:
        raise ValueError(f"may mean {' or '.join(alike)}; use --set, or rename one")
    return alike[0] if alike else word


def _layer(name: str, values: Sequence[tuple[str, Keys, str]], problems: list[str]) -> Layer:
    data: dict[str, Any] = {}
    places: dict[Keys, str] = {}
    for place, keys, text in values:
        try:
            _put(data, keys, _value(keys, text))
        except ValueError as error:
            problems.append(f"{place}: {error}")
        places.update({keys[:length]: place for length in range(1, len(keys) + 1)})
    return Layer(name, data, lambda: places, tuple(problems))


def _put(data: dict[str, Any], keys: Keys, value: Any) -> None:
    *sections, last = keys
    for name in sections:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise ValueError(f"{name} was given a value already, and cannot be a section as well")
    data[last] = value


def _value(keys: Keys, text: str) -> Any:
    """`text` as TOML; as it stands where it is none, or where the key takes nothing but a text."""
    value = _toml_value(text)
    plain = value is None or (wants_text(keys) and not isinstance(value, str))
    return text if plain else value


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    return parsed["value"] if len(parsed) == 1 else None


def _parsed_key(text: str) -> Keys | None:
    """The path that a dotted TOML key names."""
    try:
        table: Any = tomllib.loads(f"{text} = 0") if "\n" not in text else None
    except tomllib.TOMLDecodeError:
        return None
    return tuple(_descend(table)) or None


def _descend(table: Any) -> Iterator[str]:
    while isinstance(table, dict):
        (name, table), *_ = table.items()
        yield name
