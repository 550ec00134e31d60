"""Keys by their path: how one is written, which ones the settings have, what a key wants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vlmd.config.kinds import Anchored
from vlmd.config.settings import Settings

Keys = tuple[str, ...]
NAME = "*"
"""Stands for the name of a model or a pipeline, which is the user's."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(keys: Iterable[int | str]) -> str:
    path = ""
    for part in keys:
        path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{written(part)}"
    return path


def written(name: str) -> str:
    """`name` as TOML writes it: quoted where it must be."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def every_key(section: type[BaseModel] = Settings, above: Keys = ()) -> Iterator[Keys]:
    """Every key there is, with `NAME` in the place of the user's names."""
    for name, field in _fields(section).items():
        inner = _section_of(field.annotation)
        if inner is None:
            yield (*above, name)
        else:
            yield from every_key(inner, (*above, name, NAME) if _by_name(field.annotation) else (*above, name))


def known_keys(section: Sequence[int | str]) -> list[str]:
    """The keys of the section at this path; none are known in one that holds the user's names."""
    model, rest = _descend(section)
    return [] if rest else list(_fields(model))


def wants_text(keys: Keys) -> bool:
    """The key takes a text and nothing else."""
    field = _field(keys)
    return field is not None and _types(field.annotation) <= {str, Path, type(None)}


def anchored(keys: Keys) -> Anchored | None:
    """How the relative paths of this key count; None where it takes no path."""
    field = _field(keys)
    if field is None:
        return None
    return next((mark for mark in _marks(field.annotation, field.metadata) if isinstance(mark, Anchored)), None)


def leaves(data: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every value in nested tables with its path."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _field(keys: Keys) -> FieldInfo | None:
    model, rest = _descend(keys[:-1])
    return None if rest or not keys else _fields(model).get(keys[-1])


def _descend(path: Sequence[int | str]) -> tuple[type[BaseModel], Sequence[int | str]]:
    """The section that lies at the path, and what of the path leads no further."""
    model: type[BaseModel] = Settings
    while path:
        field = _fields(model).get(str(path[0]))
        inner = _section_of(field.annotation) if field else None
        steps = 2 if field and _by_name(field.annotation) else 1
        if inner is None or len(path) < steps:
            return model, path
        model, path = inner, path[steps:]
    return model, path


def _fields(section: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _by_name(annotation: Any) -> bool:
    return get_origin(annotation) is Mapping


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section a field holds, itself or by name."""
    found = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in found if issubclass(kind, BaseModel)), None)


def _types(annotation: Any) -> set[Any]:
    """The plain types a value may have."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(inner[0])
    if origin is Literal:
        return {type(value) for value in inner}
    if origin is None or (isinstance(origin, type) and issubclass(origin, tuple | list | dict | Mapping)):
        return {origin or annotation}
    return {kind for part in inner for kind in _types(part)}


def _marks(annotation: Any, metadata: Iterable[Any]) -> Iterator[Any]:
    """What was noted beside a field's type, and beside the types within it."""
    yield from metadata
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _marks(inner, ())
