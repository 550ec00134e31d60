"""A manifest's or sidecar's bytes → its samples, and one sentence for every row that is none."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, NoReturn

import msgspec

from vlmd.manifests.shapes import BadSample, Sample, sample_of

SUFFIXES = (".json", ".jsonl", ".csv")
MAX_BYTES = 64 << 20
MAX_SAMPLES = 50_000


class Manifest(msgspec.Struct, frozen=True):
    samples: list[Sample]
    problems: list[str]
    """What is wrong with it as a whole, or with single rows; the others count."""


def read_manifest(data: bytes, suffix: str, limit: int | None = None) -> Manifest:
    """Its samples in order, the first `limit` of them. Never raises."""
    try:
        rows = _rows(data.decode("utf-8-sig"), suffix)
    except UnicodeDecodeError:
        return Manifest([], ["it is not UTF-8"])
    except (ValueError, RecursionError, csv.Error) as error:
        return Manifest([], [f"it does not parse as {suffix[1:].upper()}: {error}"[:300]])
    if len(rows) > MAX_SAMPLES:
        return Manifest([], [f"it has {len(rows)} samples; at most {MAX_SAMPLES} are taken"])
    if not rows:
        return Manifest([], ["it holds no sample"])
    samples, problems, ids = [], [], set()
    for number, row in enumerate(rows[:limit], 1):
        try:
            sample = _checked(row)
            if sample.inputs.id in ids:
                raise BadSample(f"there was a sample {sample.inputs.id} before")
        except BadSample as error:
            problems.append(f"sample {number}: {error}")
        else:
            ids.add(sample.inputs.id or number)
            samples.append(sample)
    return Manifest(samples, problems)


def _checked(row: object) -> Sample:
    if not isinstance(row, dict):
        raise BadSample("it is no object")
    return sample_of(row)


def _rows(text: str, suffix: str) -> list[Any]:
    if suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    if suffix == ".jsonl":
        return [_parsed(line) for line in text.splitlines() if line.strip()]
    document = _parsed(text)
    if isinstance(document, dict):
        inner = document.get("data")
        return inner if isinstance(inner, list) else [document]
    return document if isinstance(document, list) else []


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
