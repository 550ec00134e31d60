"""Which truth belongs to which result.

Events: by the video's sha256 where the truth has it, SoccerNet's halves by their game's folder and number, else by the
video's name. Answers and texts: by the sample's id, else by video and question, else by a video that has one sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.evaluation.results import Result
from vlmd.evaluation.truth.kinds import ChoiceTruth, EventTruth, TextTruth, Truth, stem

NO_TRUTH = "there is no truth for it"
_HALF = re.compile(r"([12])(?:[_. -]|$)")
_SLACK_MS = 1000
"""How far past the end of a video a true event may lie: containers round."""

S = TypeVar("S", ChoiceTruth, TextTruth)


def truth_of(result: Result, truths: Sequence[Truth]) -> Truth | str:
    """The truth, or one sentence on why there is none. Raises `UsageError` for one that contradicts the result."""
    if result.kind == "events":
        return _events(result, [one for one in truths if isinstance(one, EventTruth)])
    if result.kind == "choice":
        choice = _sample(result, [one for one in truths if isinstance(one, ChoiceTruth)])
        return choice or _own_choice(result) or _why_none(result, truths)
    text = _sample(result, [one for one in truths if isinstance(one, TextTruth)])
    return text or _own_text(result) or _why_none(result, truths)


def _events(result: Result, truths: list[EventTruth]) -> Truth | str:
    same = [one for one in truths if one.sha256 and one.sha256 == result.video.sha256]
    found = same or _of_game(result, truths) or _by_name(result, truths)
    if not found:
        return NO_TRUTH
    if len(found) > 1:
        return f"several truths fit it: {', '.join(one.file for one in found[:3])}"
    _check(result, found[0])
    return found[0]


def _of_game(result: Result, truths: list[EventTruth]) -> list[EventTruth]:
    """Of the games whose folders end like the result's, those that agree with it furthest."""
    path = PurePosixPath(result.video.name)
    half = _HALF.match(path.name)
    if half is None:
        return []
    games = [one for one in truths if one.half == int(half[1])]
    folders = path.parent.parts
    if not folders:
        return games if len(games) == 1 else []
    common = [_common_tail(folders, PurePosixPath(one.video).parts) for one in games]
    longest = max(common, default=0)
    return [one for one, count in zip(games, common, strict=True) if count == longest and count]


def _common_tail(one: Sequence[str], another: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(another)) and one[-1 - count] == another[-1 - count]:
        count += 1
    return count


def _by_name(result: Result, truths: list[EventTruth]) -> list[EventTruth]:
    return [one for one in truths if one.half is None and stem(one.video) == stem(result.video.name)]


def _check(result: Result, truth: EventTruth) -> None:
    if truth.sha256 and truth.sha256 != result.video.sha256:
        raise UsageError(
            f"{truth.file} is the truth of another video: its sha256 is {truth.sha256[:12]}…, that of "
            f"{shown(result.video.name)} is {result.video.sha256[:12]}…"
        )
    end_ms = round(result.video.duration_s * 1000)
    late = max((event.start_ms for event in truth.events), default=0)
    if late > end_ms + _SLACK_MS:
        raise UsageError(
            f"{truth.file} has an event at {late / 1000:g} s, but {shown(result.video.name)} is only "
            f"{result.video.duration_s:g} s long; is it the truth of another video?"
        )


def _sample(result: Result, truths: list[S]) -> S | None:
    """The one that fits best, if there is exactly one."""
    inputs = result.inputs
    video = [one for one in truths if one.video and stem(one.video) == stem(result.video.name)]
    ways: list[list[S]] = []
    if inputs and inputs.id:
        ways.append([one for one in truths if inputs.id in one.ids])
    if inputs and inputs.question:
        ways.append([one for one in video if one.question == inputs.question])
    ways += [video, [one for one in truths if stem(result.video.name) in one.ids]]
    return next((way[0] for way in ways if len(way) == 1), None)


def _own_choice(result: Result) -> ChoiceTruth | None:
    if result.inputs is None or not result.inputs.truth:
        return None
    return ChoiceTruth("", "the manifest", result.inputs.truth)


def _own_text(result: Result) -> TextTruth | None:
    if result.inputs is None or not result.inputs.truth:
        return None
    return TextTruth("", "the manifest", result.inputs.truth)


def _why_none(result: Result, truths: Sequence[Truth]) -> str:
    of_video = [one for one in truths if not isinstance(one, EventTruth) and one.video]
    count = sum(stem(one.video) == stem(result.video.name) for one in of_video)
    if count > 1:
        return f"its video has {count} samples in the truth, and neither id nor question tells which is meant"
    return NO_TRUTH


def right_choice(truth: ChoiceTruth, choices: Sequence[str]) -> int:
    """The position of the right answer. Raises `UsageError` where it is none of the choices."""
    answer = truth.answer
    at = answer if isinstance(answer, int) else _position(answer, choices)
    if not 0 <= at < (len(choices) or 26):
        which = f"{truth.file or 'the manifest'}{', ' + truth.ids[0] if truth.ids else ''}"
        raise UsageError(f"{shown(which)}: the answer {shown(str(answer))} is none of {len(choices)} choices")
    return at


def _position(answer: str, choices: Sequence[str]) -> int:
    """By the choice's text, else by its letter; -1 where there is none."""
    texts = [_plain(choice) for choice in choices]
    if _plain(answer) in texts:
        return texts.index(_plain(answer))
    letter = re.match(r"\(?([A-Za-z])(?:[).:\s]|$)", answer.strip())
    return ord(letter[1].upper()) - ord("A") if letter else -1


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
