"""Reads a text that is, as a whole, JSON or a Python literal; guesses nothing."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator

Container = dict[str, object] | list[object]

_MAX_LITERAL = 32_000
_NAMES: dict[str, object] = {
    "null": None,
    "true": True,
    "false": False,
    "nan": float("nan"),
    "NaN": float("nan"),
}
NOT_READABLE = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError)


class Split(list[object]):
    """The parts of an object whose keys repeat."""


def _object(pairs: list[tuple[str, object]]) -> object:
    """A dict; or a list of dicts where keys repeat, a new one begun at each repetition."""
    parts: list[object] = []
    current: dict[str, object] = {}
    for key, value in pairs:
        if key in current:
            parts.append(current)
            current = {}
        current[key] = value
    return Split([*parts, current]) if parts else current


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, strict=False)


def _from_json(source: str) -> object:
    return _DECODER.decode(source)


def _from_literal(source: str) -> object:
    """A Python literal; true, false and null are understood too."""
    if len(source) > _MAX_LITERAL:
        raise ValueError("too long for a literal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _literal(ast.parse(source, mode="eval").body)


def _literal(node: ast.expr | None) -> object:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return _object([(str(_literal(key)), _literal(value)) for key, value in zip(keys, values, strict=True)])
    raise ValueError("not a literal")


def exact(source: str) -> Container | None:
    """The dict or list that `source` is as JSON, else as a Python literal."""
    for read in (_from_json, _from_literal):
        try:
            value = read(source)
        except NOT_READABLE:
            continue
        return value if isinstance(value, dict | list) else None
    return None


def nodes(value: Container) -> Iterator[Container]:
    """`value` and every dict and list in it."""
    waiting: list[Container] = [value]
    while waiting:
        node = waiting.pop()
        yield node
        inner = node.values() if isinstance(node, dict) else node
        waiting.extend(item for item in inner if isinstance(item, dict | list))
