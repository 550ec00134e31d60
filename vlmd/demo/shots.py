"""The cameras: composes the picture of any moment of a match, wide or close up."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vlmd.demo.game import LABEL_OF, ON_PITCH, TEAMS, Kind, Match, Scene, Team
from vlmd.demo.pitch import CENTRE, FIELD, GOAL_MOUTH, NET_DEPTH, Player, ball_at, players_at
from vlmd.demo.sprites import (
    BLACK,
    STRIDES,
    WHITE,
    Palette,
    any_skin,
    arm,
    ball_sprite,
    board,
    bust,
    card_colour,
    hsv,
    player_strides,
    score_panel,
)

SIZE = (320, 180)
_MARGIN = 8
"""Pixels drawn around the picture, for the camera to shake in."""
_WIPE_MS = 240
_RAISE_MS = 120


class Studio:
    """Everything about a match that is drawn once; `shoot` then composes any moment of it."""

    def __init__(self, match: Match, rng: np.random.Generator) -> None:
        self.match = match
        self.palette = Palette.of(rng)
        self.shake = rng.uniform(0, 4)
        self.wipes = rng.random() < 0.6
        self.shows_score = rng.random() < 0.7
        self.ground = _ground(self.palette, rng)
        self.ball = ball_sprite(self.palette.ball)
        self.strides = _all_strides(self.palette, rng)
        self.panels: dict[tuple[int, int], Image.Image] = {}
        self.scene: Scene | None = None
        self.close_up: _CloseUp | None = None

    def shoot(self, ms: int) -> Image.Image:
        """The picture at `ms`, RGB of 320 × 180."""
        scene = self.match.scene_at(ms)
        if scene is not self.scene:
            self.scene = scene
            self.close_up = None if scene.kind in ON_PITCH else _CloseUp(scene, self.palette, self._score(ms))
        picture = self.close_up.shoot(ms) if self.close_up else self._wide(scene, ms)
        if self.shows_score:
            panel = self._panel(ms)
            picture.paste(panel, (10, 8), panel)
        self._wipe(picture, scene, ms)
        return picture

    def _wide(self, scene: Scene, ms: int) -> Image.Image:
        dx = _MARGIN + round(self.shake * np.sin(ms / 310 + scene.look % 7))
        dy = _MARGIN + round(0.6 * self.shake * np.sin(ms / 230 + scene.look % 5))
        picture = self.ground.crop((dx, dy, dx + SIZE[0], dy + SIZE[1]))
        shift = _MARGIN - dx, _MARGIN - dy
        for player in players_at(scene, ms):
            sprite = self._sprite(player)
            _put(picture, sprite, player.x - 9 + shift[0], player.y - 31 + shift[1])
        x, y = ball_at(scene, ms)
        _put(picture, self.ball, x - 7 + shift[0], y - 7 + shift[1])
        return picture

    def _sprite(self, player: Player) -> Image.Image:
        return self.strides[player.side, player.keeper][int(player.stride) % STRIDES]

    def _score(self, ms: int) -> tuple[int, int]:
        goals = [scene.team for scene in self.match.scenes if scene.kind is Kind.GOAL and scene.end_ms <= ms]
        home, away = (goals.count(team) for team in TEAMS)
        return home, away

    def _panel(self, ms: int) -> Image.Image:
        score = self._score(ms)
        if score not in self.panels:
            self.panels[score] = score_panel(self.palette, score, 15)
        return self.panels[score]

    def _wipe(self, picture: Image.Image, scene: Scene, ms: int) -> None:
        """A slanted band that sweeps across at the end of some scenes."""
        left = scene.end_ms - ms
        if not self.wipes or scene.look % 3 or left > _WIPE_MS or scene.kind in LABEL_OF:
            return
        x = SIZE[0] * (1 - left / _WIPE_MS)
        band = [(x - 30, 0), (x + 60, 0), (x + 30, SIZE[1]), (x - 60, SIZE[1])]
        ImageDraw.Draw(picture).polygon(band, fill=self.palette.stands, outline=WHITE)


class _CloseUp:
    """One close shot: a blurred background, one or two people, and what they hold up."""

    def __init__(self, scene: Scene, palette: Palette, score: tuple[int, int]) -> None:
        self.scene = scene
        self.rng = np.random.default_rng(scene.look)
        self.background = _blur(palette, self.rng, sharp=scene.kind is Kind.CROWD)
        self.mirrored = bool(self.rng.random() < 0.5)
        self.layers: list[tuple[Image.Image, float, float, float]] = []
        self.raised: tuple[Image.Image, float, float] | None = None
        self._cast(palette, score)

    def _cast(self, palette: Palette, score: tuple[int, int]) -> None:
        """Who and what is in the picture; each layer is a sprite, its place and how much it sways."""
        rng, shirt = self.rng, palette.shirts[self.scene.team]
        skin = any_skin(rng)
        official = hsv(rng.random(), 0.3, 0.3) if rng.random() < 0.3 else BLACK
        match self.scene.kind:
            case Kind.YELLOW_CARD | Kind.RED_CARD | Kind.REFEREE:
                self._add(bust(shirt, any_skin(rng), rng), 185 + rng.uniform(-15, 15), 52 + rng.uniform(-8, 14), 3)
                x, y = 55 + rng.uniform(-15, 15), 42 + rng.uniform(-8, 10)
                self._add(bust(official, skin, rng, BLACK), x, y, 2)
                if card_colour(self.scene.kind) or rng.random() < 0.6:
                    raised = arm(official, skin, card_colour(self.scene.kind))
                    self.raised = raised, x + 71 + rng.uniform(-4, 4), y - 34 + rng.uniform(-2, 6)
            case Kind.SUBSTITUTION:
                self._add(bust(shirt, any_skin(rng), rng), 205 + rng.uniform(-12, 12), 60 + rng.uniform(-8, 14), 2)
                self._add(bust(official, skin, rng, BLACK), 55 + rng.uniform(-12, 12), 62 + rng.uniform(-4, 8), 1)
                self.raised = self._legible(board(rng)), 32 + rng.uniform(-12, 14), 6 + rng.uniform(-2, 12)
            case Kind.PORTRAIT:
                for number in range(rng.integers(1, 4)):
                    self._add(
                        bust(shirt, skin, rng),
                        20 + 85 * number + rng.uniform(0, 40),
                        35 + rng.uniform(0, 30),
                        6,
                    )
                if rng.random() < 0.5:
                    _, x, y, _ = self.layers[-1]
                    self.raised = arm(shirt, skin, None), x + 71, y - 34
            case Kind.SCOREBOARD:
                panel = self._legible(score_panel(palette, score, 46))
                self._add(panel, 22 + rng.uniform(-16, 16), 60 + rng.uniform(-40, 30), 0)

    def _add(self, sprite: Image.Image, x: float, y: float, sway: float) -> None:
        self.layers.append((sprite, x, y, sway))

    def _legible(self, sprite: Image.Image) -> Image.Image:
        """`sprite`, turned over where the whole picture will be, so that its text can be read."""
        return sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else sprite

    def shoot(self, ms: int) -> Image.Image:
        """The picture at `ms`, RGB of 320 × 180."""
        picture = self.background.copy()
        turn = ms / 420 + self.scene.look % 6
        for sprite, x, y, sway in self.layers:
            _put(picture, sprite, x + sway * np.sin(turn), y + 0.5 * sway * np.cos(1.7 * turn))
        if self.raised and self.scene.action[0] <= ms < self.scene.action[1]:
            sprite, x, y = self.raised
            below = 60 * max(0.0, 1 - (ms - self.scene.action[0] + 40) / _RAISE_MS)
            _put(picture, sprite, x + 2 * np.sin(1.3 * turn), y + below)
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else picture


def _put(picture: Image.Image, sprite: Image.Image, x: float, y: float) -> None:
    picture.paste(sprite, (round(x), round(y)), sprite)


def _all_strides(palette: Palette, rng: np.random.Generator) -> dict[tuple[Team | None, bool], list[Image.Image]]:
    """Running figures by side (None is the referee) and whether they keep goal."""
    strides: dict[tuple[Team | None, bool], list[Image.Image]] = {(None, False): player_strides(BLACK, BLACK, rng)}
    for team in TEAMS:
        strides[team, False] = player_strides(palette.shirts[team], palette.shorts[team], rng)
        strides[team, True] = player_strides(palette.keepers[team], BLACK, rng)
    return strides


def _ground(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Stands, advertising, grass, lines and goals, with a margin on every side."""
    width, height = SIZE[0] + 2 * _MARGIN, SIZE[1] + 2 * _MARGIN
    ground = Image.new("RGB", (width, height), palette.grass[0])
    draw = ImageDraw.Draw(ground)
    stripe = int(rng.integers(20, 46))
    for x in range(0, width, 2 * stripe):
        draw.rectangle((x, 0, x + stripe, height), fill=palette.grass[1])
    crowd = _crowd(palette, rng, (width, 42), cell=4)
    ground.paste(crowd, (0, 0))
    for x in range(0, width, 48):
        draw.rectangle((x, 42, x + 47, 53), fill=hsv(rng.random(), rng.uniform(0.2, 0.9), rng.uniform(0.3, 0.95)))
    _lines(draw)
    return ground


def _lines(draw: ImageDraw.ImageDraw) -> None:
    chalk = (225, 232, 225)
    left, top, right, bottom = (value + _MARGIN for value in FIELD)
    x, y = CENTRE[0] + _MARGIN, CENTRE[1] + _MARGIN
    draw.rectangle((left, top, right, bottom), outline=chalk)
    draw.line((x, top, x, bottom), fill=chalk)
    draw.ellipse((x - 30, y - 26, x + 30, y + 26), outline=chalk)
    for post, outward in ((left, -1), (right, 1)):
        box = sorted((post, post - outward * 40))
        draw.rectangle((box[0], y - 42, box[1], y + 42), outline=chalk)
        _net(draw, sorted((post, post + outward * NET_DEPTH)))


def _net(draw: ImageDraw.ImageDraw, sides: list[int]) -> None:
    """One goal seen from above: a frame with a mesh in it."""
    left, right = sides
    top, bottom = (value + _MARGIN for value in GOAL_MOUTH)
    draw.rectangle((left, top, right, bottom), fill=(52, 74, 58))
    for x in range(left, right, 4):
        draw.line((x, top, x, bottom), fill=(96, 112, 100))
    for y in range(top, bottom, 4):
        draw.line((left, y, right, y), fill=(96, 112, 100))
    draw.rectangle((left, top, right, bottom), outline=(250, 250, 250), width=2)


def _crowd(palette: Palette, rng: np.random.Generator, size: tuple[int, int], cell: int) -> Image.Image:
    """Speckles in the colours of the stands and of both teams."""
    columns, rows = size[0] // cell + 1, size[1] // cell + 1
    colours = np.array([palette.stands, palette.stands, *palette.shirts.values(), (200, 180, 160), (40, 40, 50)])
    spots = colours[rng.integers(len(colours), size=(rows, columns))] * rng.uniform(0.5, 1, (rows, columns, 1))
    return Image.fromarray(spots.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)


def _blur(palette: Palette, rng: np.random.Generator, sharp: bool) -> Image.Image:
    """The background of a close-up: stands or grass out of focus."""
    stands = _crowd(palette, rng, SIZE, cell=10 if sharp else 16)
    if sharp:
        return stands
    if rng.random() < 0.4:
        grass = Image.new("RGB", (SIZE[0], 100), palette.grass[0])
        stands.paste(grass, (0, int(rng.integers(60, 120))))
    return stands.filter(ImageFilter.GaussianBlur(10))
