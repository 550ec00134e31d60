"""What is wrong with a config: one sentence a mistake, which reads on after the key's dotted path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vlmd.config.keys import dotted, known_keys, written

_LONGEST_SHOWN = 60

_EXPECTED: dict[str, str] = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": 'a list such as ["a", "b"]',
    "dict_type": "a section of its own",
    "mapping_type": "a section of its own",
    "model_type": "a section of its own",
    "model_attributes_type": "a section of its own",
    "finite_number": "a finite number",
    "too_short": "at least {min_length} entry in the list",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
"""What was expected, by pydantic's name of the mistake; filled in with the mistake's own bounds."""


class Problem(NamedTuple):
    keys: tuple[int | str, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{dotted(self.keys)}: {self.sentence}"


def explain(error: ValidationError) -> list[Problem]:
    """One line for every mistake pydantic found; a default that only follows from another mistake is none."""
    found = error.errors(include_url=False)
    return [_problem(details) for details in found if details["type"] != "default_factory_not_called"]


def unresolved_names(data: Mapping[str, Any]) -> list[Problem]:
    """Names in `data` of models and pipelines that it does not hold.

    Looks at the raw data, so that these mistakes are told together with all others.
    """
    models, pipelines = table(data, "models"), table(data, "pipelines")
    problems = []
    for name in pipelines:
        model = table(pipelines, name).get("model")
        if isinstance(model, str) and model not in models:
            problems.append(unresolved(("pipelines", name, "model"), model, "models", models))
    default = table(data, "inbox").get("default_pipeline")
    if isinstance(default, str) and default not in pipelines:
        problems.append(unresolved(("inbox", "default_pipeline"), default, "pipelines", pipelines))
    return problems


def table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def unresolved(where: tuple[str, ...], name: str, section: str, known: Iterable[str]) -> Problem:
    there = sorted(known)
    hint = f"there are: {', '.join(there)}" if there else f"there is no [{section}.…] section at all"
    return Problem(where, f"there is no [{section}.{written(name)}] section; {nearest(name, there) or hint}")


def _problem(details: ErrorDetails) -> Problem:
    loc = details["loc"]
    if loc[-1] == "[key]":
        loc = loc[:-1]
    describe = _SPECIAL.get(details["type"], _expected)
    return Problem(loc, describe(details))


def _expected(details: ErrorDetails) -> str:
    template = _EXPECTED.get(details["type"])
    if template is None:
        return f"{details['msg'][:1].lower()}{details['msg'][1:]}, not {_shown(details['input'])}"
    bounds = {name: _whole(bound) for name, bound in details.get("ctx", {}).items()}
    return f"expected {template.format(**bounds)}, not {_shown(details['input'])}"


def _whole(bound: object) -> object:
    """60 for 60.0: a bound reads the same whichever kind of number it limits."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _choice(details: ErrorDetails) -> str:
    expected = details["ctx"]["expected"].replace("'", '"')
    return f"expected {expected}, not {_shown(details['input'])}"


def _own_words(details: ErrorDetails) -> str:
    """The sentence one of our own checks raised."""
    return str(details["ctx"]["error"])


def _missing(details: ErrorDetails) -> str:
    return "is missing, and has no default"


def _unknown_key(details: ErrorDetails) -> str:
    *section, key = details["loc"]
    known = known_keys(section)
    return f"there is no such key; {nearest(str(key), known) or 'known here: ' + ', '.join(known)}"


_SPECIAL: dict[str, Callable[[ErrorDetails], str]] = {
    "value_error": _own_words,
    "literal_error": _choice,
    "missing": _missing,
    "extra_forbidden": _unknown_key,
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def _shown(value: object) -> str:
    """`value` as the file may have written it, cut where it is long."""
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, datetime | date | time):
        return f"the time {value}"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of more than 64 bits"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
