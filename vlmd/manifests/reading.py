"""A manifest's or sidecar's bytes → its samples, and one sentence for every row that is none."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, NoReturn

import msgspec

from vlmd.core.names import shown
from vlmd.manifests.shapes import BadSample, Sample, called, sample_of

SUFFIXES = (".json", ".jsonl", ".csv")
MAX_BYTES = 64 << 20
MAX_SAMPLES = 50_000


class Refused(msgspec.Struct, frozen=True):
    """A row that is no sample: how it calls itself and its video, as far as it does, and why."""

    name: str | None
    video: str
    reason: str


class Manifest(msgspec.Struct, frozen=True):
    """Samples, and rows that are none, by their numbers from 1; `problem` says why it has neither."""

    samples: dict[int, Sample] = {}
    refused: dict[int, Refused] = {}
    problem: str | None = None

    def name(self, number: int) -> str:
        """What a row is called: by its id, or its number."""
        one = self.samples.get(number)
        return (self.refused[number].name if one is None else one.inputs.id) or str(number)


def read_manifest(data: bytes, suffix: str, limit: int | None = None) -> Manifest:
    """Its samples in order, the first `limit` of them. Never raises."""
    try:
        rows = _rows(data.decode("utf-8-sig"), suffix)
    except UnicodeDecodeError:
        return Manifest(problem="it is not UTF-8")
    except (ValueError, RecursionError, csv.Error) as error:
        return Manifest(problem=f"it does not parse as {suffix[1:].upper()}: {error}"[:300])
    if len(rows) > MAX_SAMPLES:
        return Manifest(problem=f"it has {len(rows)} samples; at most {MAX_SAMPLES} are taken")
    if not rows:
        return Manifest(problem="it holds no sample")
    made, names = Manifest({}, {}), set()
    for number, row in enumerate(rows[:limit], 1):
        try:
            sample = _checked(row)
            if (name := sample.inputs.id or str(number)) in names:
                raise BadSample(f"there was a sample {shown(name)} before")
            made.samples[number] = sample
        except BadSample as error:
            made.refused[number] = Refused(*called(row), str(error))
        names.add(made.name(number))
    return made


def _checked(row: object) -> Sample:
    if isinstance(row, BadSample):
        raise row
    if not isinstance(row, dict):
        raise BadSample("it is no object")
    return sample_of(row)


def _rows(text: str, suffix: str) -> list[Any]:
    if suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    if suffix == ".jsonl":
        return [_line(line) for line in text.split("\n") if line.strip()]
    document = _parsed(text)
    if isinstance(document, dict):
        inner = document.get("data")
        return inner if isinstance(inner, list) else [document]
    return document if isinstance(document, list) else []


def _line(text: str) -> Any:
    """A row that does not parse is wrong by itself: the last one of a file that was cut, say."""
    try:
        return _parsed(text)
    except (ValueError, RecursionError) as error:
        return BadSample(f"it does not parse as JSON: {error}"[:300])


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
