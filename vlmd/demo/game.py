"""A synthetic football match as data: which scenes follow one another, and what truly happens in them.

A match is planned from a seed alone, so the same seed always gives the same events. Home attacks the
right-hand goal. Every kind of event has look-alikes that are none: saves and near misses for goals, a referee
without a card, a score board for the substitution board, a free kick for the kick-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

Team = Literal["home", "away"]
TEAMS: tuple[Team, Team] = ("home", "away")
LABELS = ("Goal", "Yellow card", "Red card", "Substitution", "Kick-off")


class Kind(StrEnum):
    """What a scene shows."""

    PLAY = "play"
    GOAL = "goal"
    SAVE = "save"
    MISS = "miss"
    FREE_KICK = "free kick"
    KICK_OFF = "kick-off"
    YELLOW_CARD = "yellow card"
    RED_CARD = "red card"
    SUBSTITUTION = "substitution"
    PORTRAIT = "portrait"
    REFEREE = "referee"
    SCOREBOARD = "scoreboard"
    CROWD = "crowd"


LABEL_OF = {
    Kind.GOAL: "Goal",
    Kind.YELLOW_CARD: "Yellow card",
    Kind.RED_CARD: "Red card",
    Kind.SUBSTITUTION: "Substitution",
    Kind.KICK_OFF: "Kick-off",
}
ON_PITCH = frozenset({Kind.PLAY, Kind.GOAL, Kind.SAVE, Kind.MISS, Kind.FREE_KICK, Kind.KICK_OFF})

_CHAINS: tuple[tuple[float, tuple[Kind, ...]], ...] = (
    (0.20, (Kind.PLAY, Kind.GOAL, Kind.PORTRAIT, Kind.KICK_OFF)),
    (0.05, (Kind.PLAY, Kind.GOAL, Kind.SCOREBOARD, Kind.KICK_OFF)),
    (0.12, (Kind.PLAY, Kind.YELLOW_CARD)),
    (0.11, (Kind.PLAY, Kind.RED_CARD)),
    (0.12, (Kind.PLAY, Kind.SUBSTITUTION)),
    (0.04, (Kind.PLAY, Kind.REFEREE, Kind.YELLOW_CARD, Kind.RED_CARD)),
    (0.10, (Kind.PLAY, Kind.SAVE)),
    (0.10, (Kind.PLAY, Kind.MISS, Kind.PORTRAIT)),
    (0.05, (Kind.FREE_KICK, Kind.PLAY)),
    (0.05, (Kind.PLAY, Kind.REFEREE)),
    (0.03, (Kind.PLAY, Kind.CROWD)),
    (0.03, (Kind.PORTRAIT, Kind.PLAY)),
)
"""Shares of the chains of scenes a match is made of."""

Span = tuple[int, int]
"""Start and end in milliseconds, half-open."""


@dataclass(frozen=True)
class TrueEvent:
    """Something that truly happens in a match, in milliseconds from its first picture, half-open."""

    label: str
    team: Team
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Waypoint:
    """Where the ball is at a moment: pixels from the left and the top of a 320 × 180 picture."""

    ms: int
    x: float
    y: float


@dataclass(frozen=True)
class Scene:
    """One camera shot. `action` is when its event shows, or what might be taken for one."""

    kind: Kind
    team: Team
    start_ms: int
    end_ms: int
    action: Span
    ball: tuple[Waypoint, ...]
    """The ball's way, ascending in time; empty in close-ups."""
    look: int
    """Seed of everything a renderer is free to choose."""


@dataclass(frozen=True)
class Match:
    seed: int
    length_ms: int
    scenes: tuple[Scene, ...]

    def scene_at(self, ms: int) -> Scene:
        """The scene that is on at `ms`."""
        return next(scene for scene in self.scenes if ms < scene.end_ms)

    def events(self) -> list[TrueEvent]:
        """What truly happens, in order."""
        return [
            TrueEvent(LABEL_OF[scene.kind], scene.team, *scene.action)
            for scene in self.scenes
            if scene.kind in LABEL_OF and scene.action[0] < self.length_ms
        ]


def plan_match(seed: int, seconds: float) -> Match:
    """The whole match of a seed: scenes without a gap from 0 to `seconds`."""
    planner = _Planner(np.random.default_rng(seed), round(seconds * 1000))
    planner.fill()
    return Match(seed, planner.length_ms, tuple(planner.scenes))


def other(team: Team) -> Team:
    return "away" if team == "home" else "home"


class _Planner:
    """Appends scenes until the match is full; remembers where the ball is and who did what last."""

    def __init__(self, rng: np.random.Generator, length_ms: int) -> None:
        self.rng = rng
        self.length_ms = length_ms
        self.scenes: list[Scene] = []
        self.now = 0
        self.ball = (160.0, 114.0)
        self.last_team: dict[Kind, Team] = {}

    def fill(self) -> None:
        if self.rng.random() < 0.4:
            self._add(Kind.KICK_OFF, self._any_team())
        weights = np.array([weight for weight, _ in _CHAINS])
        while self.now < self.length_ms:
            self._chain(_CHAINS[self.rng.choice(len(_CHAINS), p=weights / weights.sum())][1])

    def _chain(self, kinds: tuple[Kind, ...]) -> None:
        """Adds the scenes of one chain; a kick-off goes to the side that conceded."""
        scorer: Team | None = None
        for kind in kinds:
            team = other(scorer) if kind is Kind.KICK_OFF and scorer else self._team_for(kind, scorer)
            scorer = team if kind is Kind.GOAL else scorer
            self._add(kind, team)

    def _team_for(self, kind: Kind, scorer: Team | None) -> Team:
        """Any team, but not the one that had the same event last: two such close together would be one."""
        if kind is Kind.PORTRAIT and scorer:
            return scorer
        if kind in LABEL_OF and kind in self.last_team and self.scenes[-2:]:
            recent = any(scene.kind is kind for scene in self.scenes[-3:])
            return other(self.last_team[kind]) if recent else self._any_team()
        return self._any_team()

    def _any_team(self) -> Team:
        return TEAMS[int(self.rng.integers(2))]

    def _add(self, kind: Kind, team: Team) -> None:
        """Appends one scene, or play instead where its event would be cut off by the end."""
        if self.now >= self.length_ms:
            return
        lead, action, tail = self._timing(kind)
        if kind in LABEL_OF and self.now + lead + action > self.length_ms:
            kind = Kind.PLAY
        start, begin, end = self.now, self.now + lead, self.now + lead + action
        stop = min(end + tail, self.length_ms)
        way = self._ball_way(kind, team, start, (begin, end), end + tail) if kind in ON_PITCH else ()
        look = int(self.rng.integers(2**31))
        self.scenes.append(Scene(kind, team, start, stop, (begin, min(end, stop)), way, look))
        self.last_team[kind] = team
        self.now = stop

    def _timing(self, kind: Kind) -> tuple[int, int, int]:
        """Milliseconds before, during and after what matters in a scene of this kind."""
        between = self._between
        match kind:
            case Kind.KICK_OFF:
                return 0, between(1600, 2100), between(700, 1500)
            case Kind.GOAL | Kind.SAVE | Kind.MISS:
                return between(700, 1300), between(1600, 2100), 0
            case Kind.YELLOW_CARD | Kind.RED_CARD | Kind.SUBSTITUTION:
                return between(200, 900), between(1600, 2100), between(100, 600)
            case Kind.FREE_KICK:
                return 0, between(1400, 2200), between(500, 1000)
            case Kind.REFEREE:
                return between(100, 500), between(800, 1800), between(100, 400)
            case Kind.PORTRAIT | Kind.SCOREBOARD | Kind.CROWD:
                return 0, between(1300, 2800), 0
            case Kind.PLAY:
                return 0, between(1500, 4500), 0

    def _between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def _ball_way(self, kind: Kind, team: Team, start: int, action: Span, stop: int) -> tuple[Waypoint, ...]:
        begin, end = action
        match kind:
            case Kind.KICK_OFF:
                passed = self._spot(team, -50)
                way = [(start, 160.0, 114.0), (end, 160.0, 114.0), (end + 500, *passed), (stop, *passed)]
            case Kind.GOAL | Kind.SAVE | Kind.MISS:
                way = self._shot(kind, team, start, begin, stop)
            case Kind.FREE_KICK:
                spot = self._spot(team, 70)
                way = [(start, *spot), (end, *spot), (stop, *self._spot(team, 10))]
            case _:
                way = self._passes(start, stop)
        self.ball = way[-1][1:]
        return tuple(Waypoint(*point) for point in way)

    def _passes(self, start: int, stop: int) -> list[tuple[int, float, float]]:
        """Open play: from where the ball was, a pass or a rest every half second or so."""
        way = [(start, *self.ball)]
        while way[-1][0] < stop:
            rests = self.rng.random() < 0.25
            spot = way[-1][1:] if rests else (self.rng.uniform(36, 284), self.rng.uniform(68, 164))
            way.append((way[-1][0] + self._between(350, 900), *spot))
        return way

    def _shot(self, kind: Kind, team: Team, start: int, begin: int, stop: int) -> list[tuple[int, float, float]]:
        """An attack that ends at `begin` in the net, in the keeper's arms, or past the post."""
        goes_right = team == "home"
        if kind is Kind.GOAL:
            depth, y = self.rng.uniform(5, 13), self.rng.uniform(97, 131)
        elif kind is Kind.SAVE:
            depth, y = self.rng.uniform(-34, -18), self.rng.uniform(94, 134)
        else:
            depth, y = (
                self.rng.uniform(-4, 14),
                self.rng.choice([self.rng.uniform(60, 80), self.rng.uniform(148, 168)]),
            )
        x = 296 + depth if goes_right else 24 - depth
        line = 295.0 if goes_right else 25.0
        approach = self._spot(team, 60)
        kick = begin - self._between(250, 450)
        way = [(start, *self.ball), ((start + kick) // 2, *approach), (kick, *self._spot(team, 80))]
        reach = begin + 120 if kind is Kind.GOAL else begin
        arrive = [(begin, line, y)] if kind is Kind.GOAL else []
        return [*way, *arrive, (reach, x, y), (stop, x, y)]

    def _spot(self, team: Team, ahead: float) -> tuple[float, float]:
        """Somewhere about `ahead` pixels past the centre, in the direction `team` attacks."""
        x = 160 + (ahead if team == "home" else -ahead) + self.rng.uniform(-15, 15)
        return x, self.rng.uniform(80, 150)
