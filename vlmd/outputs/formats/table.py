"""CSV: one event, caption or answer a row, the same columns for every task, so that any results fit one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vlmd.outputs.formats.cells import lines
from vlmd.outputs.formats.shown import Moment, Result

_ORIGIN = ("pipeline", "model", "revision", "precision", "recipe", "schema", "vlmd")
COLUMNS = (
    *("video", "id", "task", "start_s", "end_s", "label", "team", "answer", "text"),
    *("confidence", "stated_confidence", "agreement", "label_known", "models", "reason"),
    *_ORIGIN,
)


def write(results: Iterable[Result]) -> Iterator[str]:
    yield from lines([COLUMNS])
    for result in results:
        yield from lines(_rows(result))


def _rows(result: Result) -> Iterator[Sequence[object]]:
    about = (result.video.name, result.inputs.id if result.inputs else None, result.task.name)
    told = result.origin()
    origin = tuple(told.get(name) for name in _ORIGIN)
    for moment in result.moments():
        yield *about, *_moment(moment), *origin
    if (choice := result.choice) is not None:
        said = (choice.answer, choice.text, choice.confidence)
        yield *about, None, None, None, None, *said, None, None, None, None, choice.reason, *origin


def _moment(moment: Moment) -> Sequence[object]:
    known = None if moment.label_known is None else str(moment.label_known).lower()
    sure = (moment.confidence, moment.stated_confidence, moment.agreement, known)
    models = " ".join(moment.models) or None
    span = (f"{moment.start_ms / 1000:.3f}", f"{moment.end_ms / 1000:.3f}")
    return *span, moment.title or None, moment.team, None, moment.words or None, *sure, models, None
