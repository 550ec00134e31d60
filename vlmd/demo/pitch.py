"""Where the ball and the players are at a moment of a scene: pure functions of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vlmd.demo.game import Kind, Scene, Team, Waypoint, other

CENTRE = (160.0, 114.0)
FIELD = (24, 58, 296, 172)
"""The touchlines: left, top, right, bottom, in pixels of a 320 × 180 picture."""
GOAL_MOUTH = (90, 138)
"""Top and bottom of both goals."""
NET_DEPTH = 20

_SHAPE = ((-96.0, -30.0), (-96.0, 28.0), (-52.0, 0.0), (-24.0, -40.0), (-24.0, 38.0))
"""Outfield players' places from the centre, for the side that defends the left-hand goal."""


@dataclass(frozen=True)
class Player:
    """One figure on the pitch. `x` and `y` are where the feet are; `stride` counts steps."""

    side: Team | None
    """None is the referee."""
    keeper: bool
    x: float
    y: float
    stride: float


def ball_at(scene: Scene, ms: int) -> tuple[float, float]:
    """The ball's centre in pixels, between the two waypoints around `ms`."""
    for before, after in pairwise(scene.ball):
        if ms < after.ms:
            return _between(before, after, ms)
    return scene.ball[-1].x, scene.ball[-1].y


def _between(before: Waypoint, after: Waypoint, ms: int) -> tuple[float, float]:
    share = max(0.0, (ms - before.ms) / max(1, after.ms - before.ms))
    return before.x + (after.x - before.x) * share, before.y + (after.y - before.y) * share


def players_at(scene: Scene, ms: int) -> list[Player]:
    """Everybody on the pitch, the farthest from the camera first."""
    rng = np.random.default_rng(scene.look)
    ball = ball_at(scene, ms)
    everybody = [*_side("home", scene, ms, ball, rng), *_side("away", scene, ms, ball, rng)]
    everybody.append(_wandering(None, (150.0, 90.0), ball, 0.3, ms, rng))
    everybody.extend(_at_the_ball(scene, ball))
    return sorted(everybody, key=lambda player: player.y)


def _side(side: Team, scene: Scene, ms: int, ball: tuple[float, float], rng: np.random.Generator) -> list[Player]:
    """One team's keeper and outfield players."""
    facing = 1 if side == "home" else -1
    waits = scene.kind is Kind.KICK_OFF and ms < scene.action[1]
    pull = 0.04 if waits else 0.3
    push = 0.0 if waits else 30.0
    figures = [_keeper(side, scene, ms, ball)]
    for ahead, across in _SHAPE:
        place = CENTRE[0] + facing * (ahead + push), CENTRE[1] + across
        figures.append(_wandering(side, place, ball, pull, ms, rng))
    return figures


def _wandering(
    side: Team | None,
    place: tuple[float, float],
    ball: tuple[float, float],
    pull: float,
    ms: int,
    rng: np.random.Generator,
) -> Player:
    """A player who sways around a place and is drawn towards the ball by `pull` of the way."""
    phase, pace, reach = rng.uniform(0, 6.28), rng.uniform(0.6, 1.6), 40 * min(pull, 0.25)
    turn = phase + ms / 1000 * pace
    x = place[0] + (ball[0] - CENTRE[0]) * pull + reach * np.cos(turn)
    y = place[1] + (ball[1] - CENTRE[1]) * pull + 0.6 * reach * np.sin(1.3 * turn)
    stride = phase + ms / 1000 * (1.0 if pull < 0.1 else 5.0)
    return Player(side, False, float(np.clip(x, 30, 290)), float(np.clip(y, 66, 174)), stride)


def _keeper(side: Team, scene: Scene, ms: int, ball: tuple[float, float]) -> Player:
    """Guards the goal; ends up behind the ball in a save, and far from it when it goes in."""
    x = FIELD[0] + 8.0 if side == "home" else FIELD[2] - 8.0
    middle = sum(GOAL_MOUTH) / 2
    y = middle + 0.25 * (ball[1] - middle)
    if scene.team != side and ms >= scene.action[0]:
        if scene.kind is Kind.SAVE:
            return Player(side, True, ball[0] + (-6 if side == "home" else 6), ball[1] + 8, 0)
        if scene.kind is Kind.GOAL:
            y = middle - 0.9 * (ball[1] - middle)
    return Player(side, True, x, y + 10, ms / 700)


def _at_the_ball(scene: Scene, ball: tuple[float, float]) -> list[Player]:
    """The kicking side's players next to the ball; for a free kick also the wall before it."""
    forward = 1 if scene.team == "home" else -1
    match scene.kind:
        case Kind.KICK_OFF:
            near = [(-13.0, 8.0), (13.0, 10.0)]
            x, y = (CENTRE[axis] + 0.5 * (ball[axis] - CENTRE[axis]) for axis in (0, 1))
            return [Player(scene.team, False, x + dx, y + dy, ball[0] / 9) for dx, dy in near]
        case Kind.FREE_KICK:
            wall = [
                Player(other(scene.team), False, ball[0] + forward * 34, ball[1] + across, 0)
                for across in (-12, -2, 8, 18)
            ]
            return [Player(scene.team, False, ball[0] - forward * 15, ball[1] + 8, 0), *wall]
        case Kind.PLAY | Kind.MISS:
            return [Player(scene.team, False, ball[0] - forward * 10, ball[1] + 10, ball[0] / 9)]
        case _:
            return []
