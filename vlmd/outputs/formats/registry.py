"""Every format there is, and how it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmd.core.errors import UsageError
from vlmd.core.formats import showing
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
from vlmd.outputs.formats.base import Document, Format

FORMATS = {
    fmt.name: fmt
    for fmt in (
        Format("json", "the result itself", ".json", "result", None),
        Format("jsonl", "JSON lines", ".jsonl", "collection", lines.write),
        Format("csv", "a table", ".csv", "collection", table.write),
        Format("srt", "SubRip subtitles", ".srt", "result", srt.write),
        Format("vtt", "WebVTT subtitles", ".vtt", "result", vtt.write),
        Format("soccernet", "SoccerNet's action spotting", f".{soccernet.FILE}", "game", soccernet.write),
        Format("submission", "id,answer of a challenge", ".submission.csv", "collection", submission.write),
        Format(
            "final_predictions",
            "time and raw answer, as earlier scripts wrote them",
            ".final_predictions.json",
            "result",
            final_predictions.write,
        ),
        Format(
            "labelstudio",
            "Label Studio's tasks with predictions",
            ".labelstudio.json",
            "collection",
            labelstudio.write,
        ),
        Format("fiftyone", "FiftyOne's temporal detections", ".fiftyone.json", "collection", fiftyone.write),
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
            others = ", ".join(showing(result.task.name))
            raise UsageError(f"{fmt.name} cannot show what the task {result.task.name} answers; these can: {others}")
        yield result


def _only_one(fmt: Format, number: int) -> None:
    if fmt.holds == "result" and number:
        raise UsageError(f"a file of {fmt.name} holds one result; export them one by one, or into a folder")
