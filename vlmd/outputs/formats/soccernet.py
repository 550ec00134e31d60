"""SoccerNet's results_spotting.json: the events of one game, its halves together.

Videos lie as the dataset has them, league/season/game/1_224p.mkv and 2_224p.mkv: the folders name the game, the
number in front of the file's name its half. A video named otherwise is a game of one half, named like the file. An
event's position is the middle of its span. Readers want a number for its confidence: it is the model's own, else what
it stated, else its agreement, else 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vlmd.core.errors import UsageError
from vlmd.core.names import shown
from vlmd.outputs.encoding import array, compact
from vlmd.outputs.formats.shown import Moment, Result

FILE = "results_spotting.json"
_HALF = re.compile(r"([12])(?=_)")
_DEPTH = 3
"""League, season, game."""


def game_of(place: str) -> tuple[str, int]:
    """Folders of a video's game, with a slash behind each, and its half: 1 or 2."""
    *folders, name = [part for part in place.split("/") if part not in ("", ".", "..")] or ["video"]
    half = _HALF.match(name)
    if half is None:
        folders.append(name.rpartition(".")[0] or name)
    return "".join(f"{folder}/" for folder in folders[-_DEPTH:]), int(half[1]) if half else 1


def other_half(name: str) -> str | None:
    """What the file of a game's other half is called; None for a file that is not called like a half."""
    half = _HALF.match(name)
    return None if half is None else f"{3 - int(half[1])}{name[1:]}"


def write(results: Iterable[Result]) -> Iterator[str]:
    """One game's results. Raises `UsageError` where they are of several games, or two are of the same half."""
    halves = sorted(results, key=lambda result: game_of(result.place))
    games = [game_of(result.place) for result in halves]
    if len({game for game, _ in games}) > 1:
        raise UsageError("one results_spotting.json holds one game; choose a folder for several")
    if len(set(games)) < len(games):
        raise UsageError(f"two results are of the same half of {shown(games[0][0])}; name only one of them")
    yield f'{{"UrlLocal": {compact(games[0][0])},\n"predictions": '
    yield from array(prediction for result in halves for prediction in _predictions(result))
    yield f',\n"vlmd": {compact([result.origin() for result in halves])}}}\n'


def _predictions(result: Result) -> Iterator[list[str]]:
    _, half = game_of(result.place)
    for moment in result.moments():
        yield [compact(_prediction(moment, half))]


def _prediction(moment: Moment, half: int) -> dict[str, str]:
    seconds = moment.middle_ms // 1000
    return {
        "gameTime": f"{half} - {seconds // 60}:{seconds % 60:02}",
        "label": moment.label or "",
        "position": str(moment.middle_ms),
        "half": str(half),
        "confidence": str(_confidence(moment)),
    }


def _confidence(moment: Moment) -> float:
    known = (moment.confidence, moment.stated_confidence, moment.agreement)
    return next((number for number in known if number is not None), 1.0)
