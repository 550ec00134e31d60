"""What a value of config.toml must look like: paths, names, patterns, devices, words of an answer.

Every check raises `ValueError` with a sentence that reads on after "<dotted path>: ".
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from vlmd.core.hub_names import is_hub_name, is_revision, name_to_use
from vlmd.core.retention import FOREVER

DEMO_MODEL = "vlmd-demo"
"""The model that comes with vlmd: a toy that knows only the synthetic game."""

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MOST_DAYS = 36_500
_DEVICE = re.compile(r"cpu|cuda:(0|[1-9][0-9]*)|GPU-[0-9A-Fa-f-]+")


class Anchored(NamedTuple):
    """Marks keys whose relative paths count from the folder of what sets them; `words` are no paths."""

    words: frozenset[str] = frozenset()


def _absolute(value: object, info: ValidationInfo) -> Path:
    """`value` with `~` expanded; a relative path counts from the folder of the config file."""
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError('expected a path in quotes, such as "~/vlmd/inbox"')
    if not value or "\0" in value:
        raise ValueError("expected a path; it is empty or holds a NUL character")
    try:
        expanded = Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError(f'nobody knows which folder "{value.split("/")[0]}" is; write the path out') from error
    if not expanded.is_absolute():
        expanded = ((info.context or {}).get("folder") or _current_folder()) / expanded
    return Path(os.path.normpath(expanded))


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ValueError("the current folder is gone, and the path counts from it; write the path out") from error


def _model_path(value: object, info: ValidationInfo) -> str:
    return DEMO_MODEL if value == DEMO_MODEL else str(_absolute(value, info))


def _hub_name(value: str) -> str:
    if not is_hub_name(value):
        raise ValueError(f'expected a name of the model hub, "owner/name", not "{value}"; a folder goes into path')
    if same := name_to_use(value):
        raise ValueError(f'{value} only loads with code of its own, which vlmd never runs; write hub = "{same}"')
    return value


def _revision(value: str) -> str:
    if not is_revision(value):
        raise ValueError(f'expected a branch, a tag or a commit, such as "main", not "{value}"')
    return value


def _name(value: str) -> str:
    if not NAME_PATTERN.fullmatch(value):
        raise ValueError(
            "expected a name of small letters, digits, '.', '_' and '-' that begins with a letter or digit "
            "(it becomes the name of a folder)"
        )
    return value


def _glob(value: str) -> str:
    if not value or "/" in value:
        raise ValueError('expected a pattern for a file\'s name, such as "*.part": not empty, without "/"')
    return value


def _devices(value: object) -> Literal["auto"] | tuple[str, ...]:
    """ "auto", or every device by name; a list may name the CPU several times, a GPU once."""
    if value == "auto":
        return "auto"
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('expected "auto" or a list such as ["cuda:0", "cuda:1"] or ["cpu"]')
    for entry in value:
        _check_device(entry)
    twice = sorted({entry for entry in value if entry != "cpu" and value.count(entry) > 1})
    if twice:
        raise ValueError(f"a GPU gets one worker; named more than once: {', '.join(twice)}")
    return tuple(value)


def _check_device(entry: object) -> None:
    if isinstance(entry, str) and entry.startswith("MIG-"):
        raise ValueError(f"{entry} is a part of a GPU (MIG), which vlmd cannot use yet; name whole GPUs")
    if not isinstance(entry, str) or not _DEVICE.fullmatch(entry):
        raise ValueError(f'expected "cuda:N", a GPU\'s UUID ("GPU-…") or "cpu" in the list, not {entry!r}')


def _days(value: object) -> int | Literal["forever"]:
    if value == FOREVER:
        return "forever"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_DAYS:
        raise ValueError(f'expected a number of days from 1 to {_MOST_DAYS}, or "forever", not {value!r}')
    return value


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words without the blanks around them: each holds something, no two differ only in case."""
    stripped = tuple(word.strip() for word in words)
    if "" in stripped:
        raise ValueError("an entry of the list is empty")
    seen: set[str] = set()
    for word in stripped:
        if word.casefold() in seen:
            raise ValueError(f'"{word}" stands there more than once (capitals make no difference)')
        seen.add(word.casefold())
    return stripped


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    if any(label.casefold() == "none" for label in labels):
        raise ValueError('"None" cannot be a label: it is how the model says that there is no event')
    return labels


def _hook(value: object) -> str | tuple[str, ...]:
    """A command as words, or a web address."""
    if isinstance(value, str) and _is_address(value):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(word, str) and "\0" not in word for word in value):
        program = value[0]
        if program and (program.startswith("/") or "/" not in program):
            return tuple(value)
    raise ValueError(
        'expected a command as a list of words, such as ["/usr/local/bin/tell", "--now"] (its first word an absolute '
        'path, or a name in $PATH), or an address such as "https://example.org/vlmd"'
    )


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


AbsolutePath = Annotated[Path, BeforeValidator(_absolute), Anchored()]
ModelPath = Annotated[str, BeforeValidator(_model_path), Anchored(frozenset({DEMO_MODEL}))]
HubName = Annotated[str, AfterValidator(_hub_name)]
Revision = Annotated[str, AfterValidator(_revision)]
Name = Annotated[str, AfterValidator(_name)]
Hook = Annotated[str | tuple[str, ...], PlainValidator(_hook)]
Globs = Annotated[tuple[Annotated[str, AfterValidator(_glob)], ...], Field(strict=False)]
Devices = Annotated[Literal["auto"] | tuple[str, ...], PlainValidator(_devices)]
Days = Annotated[int | Literal["forever"], PlainValidator(_days)]
Words = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_words)]
Labels = Annotated[Words, AfterValidator(_labels)]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Few = Annotated[int, Field(ge=1, le=1000)]
Seconds = Annotated[float, Field(ge=0.1, le=7 * 86400)]
"""A limit or an interval; never zero, so that "never" and "at once" cannot be confused."""
