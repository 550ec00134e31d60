"""True events: SoccerNet's Labels-v2.json, and vlmd.truth/1, which `vlmd demo` writes:

{"schema": "vlmd.truth/1", "video": {"name": "match-1.mp4", "sha256": null},
 "events": [{"start_s": 1.2, "end_s": 3.1, "label": "Goal", "team": "home"}]}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.evaluation.matching import Event
from vlmd.evaluation.truth.kinds import EventTruth, TrueEvent

SCHEMA = "vlmd.truth/1"
SOCCERNET = "SoccerNet Labels-v2"
SOCCERNET_LABELS = (
    *("Ball out of play", "Clearance", "Corner", "Direct free-kick", "Foul", "Goal", "Indirect free-kick", "Kick-off"),
    *("Offside", "Penalty", "Red card", "Shots off target", "Shots on target", "Substitution", "Throw-in"),
    *("Yellow card", "Yellow->red card"),
)


class _Video(msgspec.Struct):
    name: str
    sha256: str | None = None


class _Event(msgspec.Struct):
    start_s: float
    end_s: float
    label: str
    team: str | None = None


class _Rendered(msgspec.Struct):
    schema: Literal["vlmd.truth/1"]
    video: _Video
    events: list[_Event]


class _Annotation(msgspec.Struct):
    gameTime: str
    label: str
    position: str | int
    team: str | None = None
    visibility: str | None = None


def rendered(name: str, document: Any) -> list[EventTruth] | None:
    """vlmd.truth/1; None for anything else."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return None
    try:
        truth = msgspec.convert(document, type=_Rendered)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name} is not {SCHEMA}: {shown(str(error))}") from error
    events = tuple(_event(name, one) for one in truth.events)
    return [EventTruth(name, SCHEMA, truth.video.name, events, truth.video.sha256)]


def as_truth(video: str, events: Sequence[Event]) -> dict[str, Any]:
    """What `rendered` reads."""
    listed = [
        {"start_s": one.start_ms / 1000, "end_s": one.end_ms / 1000, "label": one.label, "team": one.team}
        for one in events
    ]
    return {"schema": SCHEMA, "video": {"name": video, "sha256": None}, "events": listed}


def soccernet(name: str, document: Any) -> list[EventTruth] | None:
    """Both halves of a game; None for anything else."""
    if not isinstance(document, dict) or not isinstance(document.get("annotations"), list):
        return None
    try:
        annotations = msgspec.convert(document["annotations"], type=list[_Annotation])
    except msgspec.ValidationError as error:
        raise UsageError(f"{name} is not a Labels-v2.json of SoccerNet: {shown(str(error))}") from error
    if unknown := sorted({one.label for one in annotations} - set(SOCCERNET_LABELS)):
        raise UsageError(
            f"{name} has labels that SoccerNet does not know: {shown(', '.join(unknown))}; "
            f"it knows {', '.join(SOCCERNET_LABELS)}"
        )
    game = str(document.get("UrlLocal") or PurePath(name).parent).strip("/")
    halves: dict[int, list[TrueEvent]] = {1: [], 2: []}
    for number, one in enumerate(annotations, 1):
        halves[_half(name, number, one)].append(_moment(name, number, one))
    return [
        EventTruth(name, SOCCERNET, game, tuple(sorted(events, key=lambda one: one.start_ms)), half=half)
        for half, events in halves.items()
    ]


def _event(name: str, one: _Event) -> TrueEvent:
    if not 0 <= one.start_s <= one.end_s:
        raise UsageError(f"{name} has an event from {one.start_s:g} s to {one.end_s:g} s, which ends before it begins")
    return TrueEvent(one.label, one.team, round(one.start_s * 1000), round(one.end_s * 1000))


def _half(name: str, number: int, one: _Annotation) -> int:
    if one.gameTime[:1] not in ("1", "2"):
        raise UsageError(f'{name}, annotation {number}: gameTime "{shown(one.gameTime)}" begins with no half (1 or 2)')
    return int(one.gameTime[0])


def _moment(name: str, number: int, one: _Annotation) -> TrueEvent:
    text = str(one.position)
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(f'{name}, annotation {number}: position "{shown(text)}" is no number of milliseconds')
    team = one.team if one.team in ("home", "away") else None
    return TrueEvent(one.label, team, int(text), int(text), one.visibility != "not shown")
