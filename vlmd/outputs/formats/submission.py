"""The CSV that multiple-choice challenges take: id,answer. A question without an answer has an empty cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.outputs.formats.cells import lines
from vlmd.outputs.formats.shown import Result


def write(results: Iterable[Result]) -> Iterator[str]:
    """Raises `UsageError` where two results answer the same question: nobody could tell which counts."""
    yield from lines([("id", "answer")])
    yield from lines(_rows(results))


def _rows(results: Iterable[Result]) -> Iterator[Sequence[object]]:
    seen = set[str]()
    for result in results:
        if result.id in seen:
            raise UsageError(f"two of the results answer the question {shown(result.id)}; name only one of them")
        seen.add(result.id)
        yield result.id, result.choice.answer if result.choice else None
