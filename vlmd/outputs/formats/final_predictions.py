"""The list that earlier scripts wrote as final_predictions_*.json: [{"time": seconds, "raw": the model's words}].

Its readers parse `raw`, so an event is written as the JSON object that a model would have answered with. What a model
stated of its confidence goes before what vlmd knows of it, because those readers have only ever seen the former.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmd.outputs.encoding import array, compact
from vlmd.outputs.formats.shown import Moment, Result


def write(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        yield from array([_entry(moment)] for moment in result.moments())
        yield "\n"


def _entry(moment: Moment) -> str:
    return compact({"time": moment.start_ms / 1000, "raw": _raw(moment)})


def _raw(moment: Moment) -> str:
    if moment.label is None:
        return f"{moment.name} - {moment.words}" if moment.name else moment.words
    sure = moment.confidence if moment.stated_confidence is None else moment.stated_confidence
    said = {"label": moment.label, "team": moment.team, "confidence": sure, "details": moment.words}
    return compact({name: value for name, value in said.items() if value not in (None, "")})
