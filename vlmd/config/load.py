"""From everything that may set a key to the settings that count."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from vlmd.config.composition import composition_problems
from vlmd.config.given import Given, environment_layer, option_layer
from vlmd.config.layers import Layer, from_folder, merged, nearest_origin, origin
from vlmd.config.lines import lines_of_keys
from vlmd.config.places import Place, places, systemd_layer
from vlmd.config.problems import Problem, explain, unresolved_names
from vlmd.config.settings import Settings
from vlmd.core.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """Settings, and how they came about."""

    settings: Settings
    layers: Sequence[Layer]
    """The later over the earlier."""
    files: Mapping[Place, bool]
    """Every file that was looked for, and whether it was there."""

    def origin(self, keys: Sequence[int | str]) -> str:
        return origin(self.layers, keys) or "default"


def load_settings(given: Given | Path | None = None) -> Settings:
    """The settings that count for this command, or for one with `--config` alone. Raises as `load` does."""
    return load(given if isinstance(given, Given) else Given(given)).settings


def load(given: Given, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Command line over environment over files over systemd's folders over the defaults.

    A file that was asked for must exist. Raises `ConfigError` with every problem at once.
    """
    files = _read_files(places(given, environ))
    below = [systemd_layer(environ), *(layer for layer in files.values() if layer is not None)]
    layers = [*below, environment_layer(environ, merged(below)), option_layer(given.sets)]
    source = next((place.path.absolute() for place in reversed(files) if files[place]), None)
    settings = _parse(layers, source)
    return Loaded(settings, layers, {place: layer is not None for place, layer in files.items()})


def _parse(layers: Sequence[Layer], source: Path | None) -> Settings:
    problems = [problem for layer in layers for problem in layer.problems]
    try:
        settings = parse_settings(merged(layers), None, source, lambda keys: nearest_origin(layers, keys))
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return settings


def parse_settings(
    data: Mapping[str, Any],
    folder: Path | None = None,
    source: Path | None = None,
    origin: Callable[[Sequence[int | str]], str | None] = lambda keys: None,
) -> Settings:
    """Settings from what a TOML file holds; relative paths count from `folder`, else from the current one.

    `origin` says where a key was set; every problem begins with that.
    """
    problems = [*unresolved_names(data), *composition_problems(data)]
    sections = {name: {} for name in ("paths", "devices", "inbox", "limits", "hooks", "retention")} | dict(data)
    try:
        settings = Settings.model_validate(sections, context={"folder": folder, "source": source})
    except ValidationError as error:
        problems = explain(error) + problems
    if problems:
        raise ConfigError([_told(problem, origin(problem.keys)) for problem in problems])
    return settings


def _told(problem: Problem, place: str | None) -> str:
    return f"{place}: {problem}" if place else str(problem)


def _read_files(looked_for: Sequence[Place]) -> dict[Place, Layer | None]:
    """The layer of every file; None where there is no such file."""
    layers = _all_of([partial(_file_layer, place) for place in looked_for])
    return dict(zip(looked_for, layers, strict=True))


def _all_of(attempts: Sequence[Callable[[], T]]) -> list[T]:
    """What all of these return, or everything that is wrong with any of them."""
    done: list[T] = []
    problems: list[str] = []
    for attempt in attempts:
        try:
            done.append(attempt())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return done


def _file_layer(place: Place) -> Layer | None:
    path = place.path
    content = _read(path)
    if content is None:
        if place.asked:
            raise ConfigError([f"{path}: there is no such file ({place.asked} names it)"])
        return None
    text, data = _toml(path, content)
    return Layer(
        str(path),
        from_folder(data, path.expanduser().absolute().parent),
        lambda: {keys: f"{path}:{line}" for keys, line in lines_of_keys(text).items()},
    )


def _toml(path: Path, content: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = content.decode()
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}: line {line} is not UTF-8; save the file as UTF-8"]) from error
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError, a huge number another
        raise ConfigError([f"{path}: is not valid TOML: {error}"]) from error


def _read(path: Path) -> bytes | None:
    """The file's content; None where there is no such file."""
    try:
        return path.expanduser().read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
