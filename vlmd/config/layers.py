"""Settings come in layers, laid over each other key by key; every value remembers which one it came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vlmd.config.keys import Keys, anchored


@dataclass(frozen=True)
class Layer:
    """What one place says."""

    name: str
    """How people call the place: a file's path, "environment", "command line"."""
    data: Mapping[str, Any]
    locate: Callable[[], Mapping[Keys, str]] = dict
    """Where exactly each key stands; asked only when somebody must be told."""

    problems: tuple[str, ...] = ()
    """What could not be read as a key with a value."""

    @cached_property
    def places(self) -> Mapping[Keys, str]:
        return self.locate()


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """All layers as one, the later over the earlier. Sections are merged, everything else is replaced whole."""
    whole: dict[str, Any] = {}
    for layer in layers:
        whole = _over(whole, layer.data)
    return whole


def origin(layers: Sequence[Layer], keys: Sequence[int | str]) -> str | None:
    """Where the value of a key was set; None where it is a default."""
    path = tuple(key for key in keys if isinstance(key, str))
    setting = next((layer for layer in reversed(layers) if _holds(layer.data, path)), None)
    return setting.places.get(path, setting.name) if setting else None


def nearest_origin(layers: Sequence[Layer], keys: Sequence[int | str]) -> str | None:
    """Where to look for what is wrong with a key: where it was set, or else its section."""
    lengths = range(len(keys), 0, -1)
    return next((found for length in lengths if (found := origin(layers, keys[:length]))), None)


def from_folder(data: Mapping[str, Any], folder: Path, above: Keys = ()) -> dict[str, Any]:
    """`data` with its relative paths counted from `folder`; what is no path, or a wrong one, stays as it is."""
    return {name: _from_folder(value, folder, (*above, name)) for name, value in data.items()}


def _from_folder(value: Any, folder: Path, keys: Keys) -> Any:
    if isinstance(value, Mapping):
        return from_folder(value, folder, keys)
    mark = anchored(keys) if isinstance(value, str) else None
    if mark is None or not value or value.startswith("~") or value in mark.words:
        return value
    return os.path.join(folder, value)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for name, value in above.items():
        old = both.get(name)
        both[name] = _over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return both


def _holds(data: Any, path: Keys) -> bool:
    for name in path:
        if not isinstance(data, Mapping) or name not in data:
            return False
        data = data[name]
    return True
