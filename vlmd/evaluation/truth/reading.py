"""Truth files and folders of them, whatever their shape. Errors are one sentence with the file in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.evaluation.truth.answers import choices_of_json, choices_of_rows
from vlmd.evaluation.truth.events import SOCCERNET_LABELS, rendered, soccernet
from vlmd.evaluation.truth.kinds import Truth
from vlmd.evaluation.truth.texts import conversations

__all__ = ["SOCCERNET_LABELS", "read_truth"]

MAX_BYTES = 256 << 20
_SUFFIXES = (".json", ".csv")
_SHAPES = (
    "vlmd.truth/1, SoccerNet's Labels-v2.json, NExT-QA's CSV, EgoSchema's answers, RoadBuddy's JSON, a CSV with "
    "id,answer, or a list of conversations"
)


def read_truth(paths: Iterable[Path]) -> tuple[list[Truth], list[str]]:
    """All truth in files and folders, and sentences on what was passed over in folders. Raises `UsageError`."""
    truths: list[Truth] = []
    notes: list[str] = []
    for path in paths:
        if path.is_dir():
            _of_folder(path, truths, notes)
        else:
            truths += _known(path)
    if not truths:
        raise UsageError(f"there is no truth in {', '.join(shown(str(path)) for path in paths)}: it may be {_SHAPES}")
    return truths, notes


def _of_folder(folder: Path, truths: list[Truth], notes: list[str]) -> None:
    passed = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()):
        found = _read(path)
        if found is None:
            passed.append(shown(path.name))
        else:
            truths += found
    if passed:
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        notes.append(f"{shown(str(folder))} holds files that are no truth: {', '.join(passed[:3])}{more}")


def _known(path: Path) -> list[Truth]:
    found = _read(path)
    if found is None:
        raise UsageError(f"{shown(str(path))} is no truth that vlmd can read: it may be {_SHAPES}")
    return found


def _read(path: Path) -> list[Truth] | None:
    """None for a file that parses, and has none of the shapes."""
    name, data = shown(str(path)), _bytes(path)
    try:
        text = data.decode("utf-8-sig")
        if path.suffix.lower() == ".csv":
            rows = choices_of_rows(name, csv.DictReader(io.StringIO(text, newline=""), strict=True))
            return None if rows is None else list(rows)
        return _of_json(name, json.loads(text, parse_constant=_no_number))
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} does not parse: it is not UTF-8 ({error.reason} at byte {error.start})") from error
    except (ValueError, RecursionError, csv.Error) as error:
        raise UsageError(f"{name} does not parse: {shown(str(error))}") from error


def _of_json(name: str, document: Any) -> list[Truth] | None:
    for reader in (rendered, soccernet, conversations, choices_of_json):
        found = reader(name, document)
        if found is not None:
            return list(found)
    return None


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{shown(str(path))} is larger than the {MAX_BYTES >> 20} MiB that a truth file may have")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown(str(path))} cannot be read: {error.strerror}") from error


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
