"""Label Studio's tasks with predictions, to be imported and corrected: one task a result.

Spans are frames, counted from 1, at the rate that the task's `fps` says. A labelling configuration that fits:

    <View>
      <Video name="video" value="$video" frameRate="$fps"/>
      <TimelineLabels name="videoLabels" toName="video">…</TimelineLabels>
      <TextArea name="text" toName="video" perRegion="true"/>
      <Choices name="choice" toName="video">…</Choices>
    </View>

`video` is the video's path below its pipeline's folder; Label Studio wants an address it can open in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vlmd.outputs.encoding import array, compact
from vlmd.outputs.formats.shown import Choice, Moment, Result

_ON_THE_VIDEO = {"to_name": "video"}


def write(results: Iterable[Result]) -> Iterator[str]:
    yield from array(_task(result) for result in results)
    yield "\n"


def _task(result: Result) -> Iterator[str]:
    yield f'{{"data": {compact(_data(result))},\n   "predictions": [{{'
    yield f'"model_version": {compact(_version(result))}, '
    if (score := _score(result)) is not None:
        yield f'"score": {score}, '
    yield '"result": '
    yield from array(([compact(item)] for item in _items(result)), "   ")
    yield "}]}"


def _data(result: Result) -> dict[str, Any]:
    fps = result.video.pictures / result.video.duration_s if result.video.duration_s else 0.0
    asked = {"id": result.inputs.id, "question": result.inputs.question} if result.inputs else {}
    return {"video": result.place, "fps": round(fps, 6), **asked, "vlmd": result.origin()}


def _version(result: Result) -> str:
    """Which model answered, and what it was asked."""
    if result.model is None or result.recipe is None:
        return result.pipeline
    return f"{result.model.name} {result.model.revision[:12]}, recipe {result.recipe.digest[:12]}"


def _score(result: Result) -> float | None:
    """The mean of all confidences; None where there are none."""
    if result.choice is not None:
        return result.choice.confidence
    known = [sure for moment in result.moments() if (sure := moment.confidence) is not None]
    return round(sum(known) / len(known), 4) if known else None


def _items(result: Result) -> Iterator[dict[str, Any]]:
    for number, moment in enumerate(result.moments()):
        yield from _region(result, moment, f"{result.task.name}-{number}")
    if result.choice is not None and result.choice.answer is not None:
        yield _choice(result.choice)


def _region(result: Result, moment: Moment, name: str) -> Iterator[dict[str, Any]]:
    """A labelled span; its text belongs to the span of the same id."""
    first, last = result.frames(moment)
    ranges = [{"start": first, "end": last}]
    labels = {"ranges": ranges, "timelinelabels": [moment.title or result.task.name]}
    region = {"id": name, "from_name": "videoLabels", **_ON_THE_VIDEO, "type": "timelinelabels", "value": labels}
    more = {"score": moment.confidence, "meta": {"team": moment.team} if moment.team else None}
    yield {**region, **{name: value for name, value in more.items() if value is not None}}
    if moment.words:
        text = {"ranges": ranges, "text": [moment.words]}
        yield {"id": name, "from_name": "text", **_ON_THE_VIDEO, "type": "textarea", "value": text}


def _choice(choice: Choice) -> dict[str, Any]:
    value = {"choices": [choice.text or choice.answer]}
    return {"id": "choice", "from_name": "choice", **_ON_THE_VIDEO, "type": "choices", "value": value}
