"""FiftyOne's labels.json of a FiftyOneTemporalDetectionDataset: for each video its detections, as frames from 1 on.

A video's key is its path below its pipeline's folder, without its ending, which is how FiftyOne finds it below
`data_path`. Frames are at the video's average rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.outputs.encoding import array, compact
from vlmd.outputs.formats.shown import Moment, Result


def write(results: Iterable[Result]) -> Iterator[str]:
    """Raises `UsageError` where two results are of one video: the dataset has one entry for each."""
    seen, classes, origins = set[str](), set[str](), []
    yield '{"labels": {'
    for result in results:
        key = _key(result)
        if key in seen:
            raise UsageError(f"two results are of the video {shown(key)}; export one pipeline at a time")
        yield f"{',' if seen else ''}\n  {compact(key)}: "
        yield from array(([compact(_detection(result, moment))] for moment in result.moments()), "  ")
        seen.add(key)
        classes.update(_label(result, moment) for moment in result.moments())
        origins += [origin] if (origin := result.origin()) not in origins else []
    yield f'}},\n"classes": {compact(sorted(classes))},\n"vlmd": {compact(origins)}}}\n'


def _key(result: Result) -> str:
    folder, slash, name = result.place.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"


def _label(result: Result, moment: Moment) -> str:
    """What has no label of its own is called like its task."""
    return moment.title or result.task.name


def _detection(result: Result, moment: Moment) -> dict[str, Any]:
    said = {"team": moment.team, "text": moment.words or None, "stated_confidence": moment.stated_confidence}
    more = {**said, "agreement": moment.agreement, "label_known": moment.label_known}
    detection: dict[str, Any] = {"label": _label(result, moment), "support": list(result.frames(moment))}
    if moment.confidence is not None:
        detection["confidence"] = moment.confidence
    return {**detection, "attributes": {name: value for name, value in more.items() if value is not None}}
