"""Every format there is, and how it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmd.core.errors import UsageError
from vlmd.outputs import encoding
from vlmd.outputs.formats import (
    fiftyone,
    final_predictions,
    labelstudio,
    lines,
    shown,
    soccernet,
    srt,
    submission,
    table,
    vtt,
)
from vlmd.outputs.formats.base import EVERY, TIMED, Document, Format

_EVENTS = frozenset({"events", "ensemble"})

FORMATS = {
    fmt.name: fmt
    for fmt in (
        Format(name="json", title="the result itself", suffix=".json", tasks=EVERY, holds="result", write=None),
        Format(name="jsonl", title="JSON lines", suffix=".jsonl", tasks=EVERY, holds="collection", write=lines.write),
        Format(name="csv", title="a table", suffix=".csv", tasks=EVERY, holds="collection", write=table.write),
        Format(name="srt", title="SubRip subtitles", suffix=".srt", tasks=TIMED, holds="result", write=srt.write),
        Format(name="vtt", title="WebVTT subtitles", suffix=".vtt", tasks=TIMED, holds="result", write=vtt.write),
        Format(
            name="soccernet",
            title="SoccerNet's action spotting",
            suffix=".results_spotting.json",
            tasks=_EVENTS,
            holds="game",
            write=soccernet.write,
        ),
        Format(
            name="submission",
            title="id,answer of a challenge",
            suffix=".submission.csv",
            tasks=frozenset({"choice"}),
            holds="collection",
            write=submission.write,
        ),
        Format(
            name="final_predictions",
            title="time and raw answer, as earlier scripts wrote them",
            suffix=".final_predictions.json",
            tasks=TIMED,
            holds="result",
            write=final_predictions.write,
        ),
        Format(
            name="labelstudio",
            title="Label Studio, tasks with predictions",
            suffix=".labelstudio.json",
            tasks=EVERY,
            holds="collection",
            write=labelstudio.write,
        ),
        Format(
            name="fiftyone",
            title="FiftyOne, temporal detections",
            suffix=".fiftyone.json",
            tasks=TIMED,
            holds="collection",
            write=fiftyone.write,
        ),
    )
}


def pieces(fmt: Format, documents: Iterable[Document]) -> Iterator[str]:
    """The text of one file, piece by piece; nothing is read of a document before its turn.

    Raises `UsageError` for a document that the format cannot show or that is not whole, and for a second one where a
    file holds one.
    """
    for number, document in enumerate(documents) if fmt.write is None else ():
        _only_one(fmt, number)
        yield from encoding.chunks(document)
    if fmt.write is not None:
        yield from fmt.write(_readable(fmt, documents))


def _readable(fmt: Format, documents: Iterable[Document]) -> Iterator[shown.Result]:
    for number, document in enumerate(documents):
        _only_one(fmt, number)
        result = shown.read(document)
        if result.task.name not in fmt.tasks:
            others = ", ".join(name for name, other in FORMATS.items() if result.task.name in other.tasks)
            raise UsageError(f"{fmt.name} cannot show what the task {result.task.name} answers; these can: {others}")
        yield result


def _only_one(fmt: Format, number: int) -> None:
    if fmt.holds == "result" and number:
        raise UsageError(f"a file of {fmt.name} holds one result; export them one by one, or into a folder")
