"""JSONL: one event, caption or answer a line, each with where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from vlmd.outputs.encoding import compact
from vlmd.outputs.formats.shown import Moment, Result


def write(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        about = {"video": result.video.name, "task": result.task.name}
        asked = {} if result.inputs is None else {"id": result.inputs.id, "question": result.inputs.question}
        origin = result.origin()
        for said in _said(result):
            yield compact({**about, **asked, **said, **origin}) + "\n"


def _said(result: Result) -> Iterator[dict[str, Any]]:
    yield from map(_moment, result.moments())
    if result.choice is not None:
        yield msgspec.to_builtins(result.choice)


def _moment(moment: Moment) -> dict[str, Any]:
    """Its fields that say something."""
    return {name: value for name, value in msgspec.to_builtins(moment).items() if value not in (None, [])}
