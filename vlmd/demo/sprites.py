"""The figures and things of the match as small pictures, drawn large once and shrunk for smooth edges."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlmd.demo.game import Kind, Team

Colour = tuple[int, int, int]
OVERSAMPLE = 3
STRIDES = 6
YELLOW, RED, BLACK, WHITE = (250, 215, 20), (215, 20, 25), (28, 28, 32), (245, 245, 245)
_SKINS = ((241, 205, 170), (222, 172, 130), (173, 121, 82), (104, 70, 48))
_HAIR = ((40, 28, 20), (20, 18, 18), (110, 74, 38), (190, 150, 80))


@dataclass(frozen=True)
class Palette:
    """The colours of one match: home always wears a warm shirt, away a cool one."""

    shirts: dict[Team, Colour]
    shorts: dict[Team, Colour]
    keepers: dict[Team, Colour]
    grass: tuple[Colour, Colour]
    stands: Colour
    ball: Colour

    @staticmethod
    def of(rng: np.random.Generator) -> Palette:
        """Colours drawn from `rng`."""
        hue = rng.uniform(0.24, 0.37)
        saturation, value = rng.uniform(0.45, 0.75), rng.uniform(0.38, 0.62)
        mown = value + rng.uniform(0.02, 0.08)
        return Palette(
            shirts={
                "home": hsv(rng.uniform(-0.03, 0.05), rng.uniform(0.8, 1), rng.uniform(0.75, 0.97)),
                "away": hsv(rng.uniform(0.55, 0.66), rng.uniform(0.7, 1), rng.uniform(0.6, 0.97)),
            },
            shorts={"home": _grey(rng), "away": _grey(rng)},
            keepers={
                "home": hsv(rng.uniform(0.75, 0.9), 0.5, 0.7),
                "away": hsv(rng.uniform(0.12, 0.2), 0.3, 0.5),
            },
            grass=(hsv(hue, saturation, value), hsv(hue, saturation, mown)),
            stands=hsv(rng.random(), rng.uniform(0.05, 0.4), rng.uniform(0.2, 0.5)),
            ball=WHITE if rng.random() < 0.6 else hsv(rng.uniform(0.1, 0.16), 0.35, 1.0),
        )


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (turns), saturation and value (0 to 1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _grey(rng: np.random.Generator) -> Colour:
    level = int(rng.integers(20, 250))
    return level, level, level


def drawn(width: int, height: int, paint: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """A transparent picture that `paint` filled at `OVERSAMPLE` times its size; it gets the factor."""
    large = Image.new("RGBA", (width * OVERSAMPLE, height * OVERSAMPLE))
    paint(ImageDraw.Draw(large), OVERSAMPLE)
    return large.resize((width, height), Image.Resampling.BOX)


def player_strides(shirt: Colour, shorts: Colour, rng: np.random.Generator) -> list[Image.Image]:
    """`STRIDES` pictures of one running player, 18 × 32 pixels, the feet at the bottom centre."""
    skin, hair = any_skin(rng), _HAIR[rng.integers(4)]
    return [_runner(shirt, shorts, skin, hair, np.sin(2 * np.pi * step / STRIDES)) for step in range(STRIDES)]


def _runner(shirt: Colour, shorts: Colour, skin: Colour, hair: Colour, swing: float) -> Image.Image:
    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        legs, arms = 4 * swing, 3 * swing
        draw.ellipse(_box(2, 28, 16, 32, k), fill=(0, 0, 0, 80))
        for side in (-1, 1):
            draw.line([(9 * k, 20 * k), ((9 + side * (1.5 + legs)) * k, 30 * k)], fill=skin, width=3 * k)
            elbow = ((9 + side * 6 + arms) * k, 17 * k)
            draw.line([((9 + side * 4) * k, 10 * k), elbow], fill=shirt, width=3 * k)
        draw.rectangle(_box(5, 18, 13, 23, k), fill=shorts)
        draw.rounded_rectangle(_box(4, 8, 14, 19, k), 2 * k, fill=shirt)
        draw.ellipse(_box(6, 1, 12, 8, k), fill=skin)
        draw.chord(_box(6, 1, 12, 8, k), 180, 360, fill=hair)

    return drawn(18, 32, paint)


def ball_sprite(colour: Colour) -> Image.Image:
    """The ball with its shadow, 14 × 14 pixels, centred."""

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        draw.ellipse(_box(2, 9, 13, 14, k), fill=(0, 0, 0, 90))
        draw.ellipse(_box(1, 1, 12, 12, k), fill=(25, 25, 25, 255))
        draw.ellipse(_box(2, 2, 11, 11, k), fill=(*colour, 255))
        draw.regular_polygon((6.5 * k, 6.5 * k, 1.8 * k), 5, fill=(60, 60, 60, 255))

    return drawn(14, 14, paint)


def any_skin(rng: np.random.Generator) -> Colour:
    return _SKINS[rng.integers(4)]


def bust(shirt: Colour, skin: Colour, rng: np.random.Generator, collar: Colour = WHITE) -> Image.Image:
    """Head and shoulders for a close-up, 110 × 150 pixels."""
    hair = _HAIR[rng.integers(4)]

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        draw.rounded_rectangle(_box(8, 66, 102, 175, k), 26 * k, fill=shirt)
        draw.rectangle(_box(45, 52, 65, 72, k), fill=skin)
        draw.polygon([(40 * k, 67 * k), (70 * k, 67 * k), (55 * k, 84 * k)], fill=collar)
        draw.ellipse(_box(33, 10, 77, 62, k), fill=skin)
        draw.chord(_box(32, 6, 78, 58, k), 185, 355, fill=hair)
        for x in (45, 61):
            draw.ellipse(_box(x, 33, x + 4, 38, k), fill=BLACK)
        draw.arc(_box(46, 38, 64, 53, k), 20, 160, fill=(120, 50, 45), width=2 * k)

    return drawn(110, 150, paint)


def arm(sleeve: Colour, skin: Colour, card: Colour | None) -> Image.Image:
    """A raised arm, 44 × 130 pixels, with a card in its hand or none."""

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        draw.line([(22 * k, 52 * k), (22 * k, 130 * k)], fill=skin, width=13 * k)
        draw.line([(22 * k, 82 * k), (22 * k, 130 * k)], fill=sleeve, width=19 * k)
        draw.ellipse(_box(13, 40, 31, 60, k), fill=skin)
        if card:
            draw.rounded_rectangle(_box(7, 2, 37, 46, k), 2 * k, fill=card, outline=BLACK, width=k // 2)

    return drawn(44, 130, paint)


def board(rng: np.random.Generator) -> Image.Image:
    """The board of a substitution, 150 × 66 pixels: a red number goes off, a green one comes on."""
    off, on = rng.integers(2, 30, 2)

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        draw.rounded_rectangle(_box(1, 1, 149, 65, k), 6 * k, fill=(20, 22, 26), outline=(190, 190, 195), width=2 * k)
        font = ImageFont.load_default(48 * k)
        draw.text((40 * k, 33 * k), str(off), font=font, fill=(255, 60, 50), anchor="mm")
        draw.text((110 * k, 33 * k), str(on), font=font, fill=(60, 255, 90), anchor="mm")

    return drawn(150, 66, paint)


def score_panel(palette: Palette, score: tuple[int, int], height: int) -> Image.Image:
    """HOME and AWAY with their colours and the score; six times as wide as `height` pixels."""
    width = 6 * height

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        font = ImageFont.load_default(max(6, height * 2 // 3) * k)
        middle = height / 2 * k
        draw.rectangle(_box(0, 0, width, height, k), fill=(18, 24, 40, 225))
        draw.rectangle(_box(0, 0, height // 2, height, k), fill=palette.shirts["home"])
        draw.rectangle(_box(width - height // 2, 0, width, height, k), fill=palette.shirts["away"])
        for place, text in ((1.4, "HOM"), (3.0, "-".join(map(str, score))), (4.6, "AWA")):
            draw.text((place * height * k, middle), text, font=font, fill=WHITE, anchor="mm")

    return drawn(width, height, paint)


def card_colour(kind: Kind) -> Colour | None:
    """The colour of the card that a scene of this kind shows."""
    return {Kind.YELLOW_CARD: YELLOW, Kind.RED_CARD: RED}.get(kind)


def _box(left: float, top: float, right: float, bottom: float, k: int) -> tuple[float, float, float, float]:
    return left * k, top * k, right * k - 1, bottom * k - 1
