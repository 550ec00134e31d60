"""Pipelines that need each other: that the others exist, find what is needed, and do not need themselves.

Looks at the raw data, so that these mistakes are told together with all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vlmd.config.problems import Problem, table, unresolved

_FINDS_SPANS = ("events", "caption", "text", "feedback", "ensemble")


def composition_problems(data: Mapping[str, Any]) -> list[Problem]:
    """One for every pipeline that is named and is not there, or is of no use; one for every circle."""
    pipelines = table(data, "pipelines")
    problems = []
    for name in pipelines:
        for keys, other in _named(name, table(pipelines, name)):
            if other not in pipelines:
                problems.append(unresolved(keys, other, "pipelines", pipelines))
            elif reason := _useless(keys, table(pipelines, other).get("task", "events"), other):
                problems.append(Problem(keys, reason))
    return problems + _circles(pipelines)


def _named(name: str, pipeline: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(key, other pipeline) for each one that a pipeline names."""
    for key in ("context", "of"):
        others = pipeline.get(key, ())
        for other in others if isinstance(others, list | tuple) else ():
            if isinstance(other, str):
                yield ("pipelines", name, key), other
    around = table(pipeline, "window").get("around")
    if isinstance(around, str):
        yield ("pipelines", name, "window", "around"), around


def _useless(keys: Sequence[str], task: object, other: str) -> str | None:
    """Why what another pipeline finds does not serve; None where it does."""
    if keys[-1] == "of" and task not in ("events", "ensemble"):
        return f'{other} finds no events (task = "{task}"), and an ensemble is made of nothing else'
    if keys[-1] == "around" and task not in _FINDS_SPANS:
        return f'{other} finds nothing that one could look around (task = "{task}")'
    return None


def _circles(pipelines: Mapping[str, Any]) -> list[Problem]:
    """Each circle once, at its first pipeline."""
    needs = {name: [other for _, other in _named(name, table(pipelines, name))] for name in pipelines}
    problems = []
    seen: set[frozenset[str]] = set()
    for name in needs:
        path = _way_back(name, needs)
        if path and frozenset(path) not in seen:
            seen.add(frozenset(path))
            way = " needs ".join([*path, name])
            problems.append(Problem(("pipelines", name), f"it needs itself ({way}), so it could never begin"))
    return problems


def _way_back(name: str, needs: Mapping[str, Sequence[str]]) -> list[str]:
    """A shortest path from a pipeline to itself; empty where there is none."""
    paths, met = [[name]], {name}
    while paths:
        path = paths.pop(0)
        for other in needs.get(path[-1], ()):
            if other == name:
                return path
            if other not in met:
                met.add(other)
                paths.append([*path, other])
    return []
