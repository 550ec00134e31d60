"""Windows that show nothing of the game: textures, noise, test patterns, text, shapes, shuffled pictures.

They teach the model to answer None to everything that it does not know. None of it comes from real films.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from demo_training.network import SIDE

_CANVAS = 128
"""Side in pixels of the still that a window pans and zooms over."""
Rng = np.random.Generator


def junk_windows(count: int, length: int, game: np.ndarray, rng: Rng) -> np.ndarray:
    """uint8, (count, length, 64, 64, 3); some are made of torn-up pictures out of `game`, (n, 64, 64, 3)."""
    return np.stack([_window(length, game, rng) for _ in range(count)])


def _window(length: int, game: np.ndarray, rng: Rng) -> np.ndarray:
    still = _STILLS[rng.integers(len(_STILLS))]
    choice = rng.random()
    if choice < 0.15:
        pictures = _torn(game[rng.integers(len(game))], length, rng)
    elif choice < 0.2:
        pictures = np.repeat(_scaled(_rgb(still(rng)), (0, 0, _CANVAS, _CANVAS))[None], length, axis=0)
    elif choice < 0.3:
        cut = int(rng.integers(1, length))
        pictures = np.concatenate([_panned(still, cut, rng), _panned(_fractal, length - cut, rng)])
    else:
        pictures = _panned(still, length, rng)
    if rng.random() < 0.5:
        pictures = _with_movers(pictures, rng)
    if rng.random() < 0.2:
        pictures = _letterboxed(pictures, rng)
    return _graded(pictures, rng)


def _panned(still: Callable[[Rng], np.ndarray], length: int, rng: Rng) -> np.ndarray:
    """A camera that drifts and zooms over one still."""
    picture = _rgb(still(rng))
    size, growth = rng.uniform(50, 110), rng.uniform(-1, 1)
    x, y = rng.uniform(0, _CANVAS - size, 2)
    dx, dy = rng.normal(0, 1.5, 2)
    boxes = []
    for _ in range(length):
        x, y = np.clip([x + dx, y + dy], 0, _CANVAS - size)
        boxes.append((x, y, x + size, y + size))
        size = float(np.clip(size + growth, 40, 112))
    return np.stack([_scaled(picture, box) for box in boxes])


def _scaled(picture: Image.Image, box: tuple[float, float, float, float]) -> np.ndarray:
    right, bottom = min(box[2], _CANVAS), min(box[3], _CANVAS)
    return np.array(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (box[0], box[1], right, bottom)))


def _rgb(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _fractal(rng: Rng) -> np.ndarray:
    """Noise with the spectrum of photographs, in two or three colours that change slowly."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_CANVAS), np.fft.rfftfreq(_CANVAS), indexing="ij"))
    slope = rng.uniform(0.9, 1.9)
    spectrum = rng.standard_normal((3, *frequency.shape)) + 1j * rng.standard_normal((3, *frequency.shape))
    layers = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / _CANVAS) ** slope)
    layers /= layers.std(axis=(1, 2), keepdims=True) + 1e-9
    mixing = rng.uniform(-0.4, 0.4, (3, 3)) + rng.uniform(0.3, 1) * np.array([[1.0], [0.0], [0.0]])
    colours: np.ndarray = np.einsum("lhw,lc->hwc", layers, mixing) * rng.uniform(15, 60) + _colour(rng)
    return colours


def _colour(rng: Rng) -> np.ndarray:
    """Any colour, or rather often a green one, as grass is."""
    if rng.random() < 0.25:
        return np.array([rng.uniform(20, 120), rng.uniform(70, 180), rng.uniform(10, 90)])
    return rng.uniform(0, 255, 3)


def _gradient(rng: Rng) -> np.ndarray:
    y, x = np.mgrid[:_CANVAS, :_CANVAS] / _CANVAS
    along = np.cos(rng.uniform(0, 6.3)) * x + np.sin(rng.uniform(0, 6.3)) * y
    share = ((along - along.min()) / (np.ptp(along) + 1e-9))[..., None]
    blend: np.ndarray = _colour(rng) * share + _colour(rng) * (1 - share)
    return blend


def _flat(rng: Rng) -> np.ndarray:
    return np.full((_CANVAS, _CANVAS, 3), _colour(rng))


def _white_noise(rng: Rng) -> np.ndarray:
    grain = int(rng.integers(1, 9))
    cells = -(-_CANVAS // grain)
    noise = _colour(rng) + rng.normal(0, rng.uniform(10, 80), (cells, cells, int(rng.choice([1, 3]))))
    return np.repeat(np.repeat(noise, grain, 0), grain, 1)[:_CANVAS, :_CANVAS]


def _bars(rng: Rng) -> np.ndarray:
    """Colour bars or stripes, upright, flat or as a checkerboard, as in test patterns."""
    count = int(rng.integers(2, 16))
    vivid = np.array(
        [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255]]
    )
    colours = vivid[rng.integers(7, size=count)] if rng.random() < 0.5 else rng.uniform(0, 255, (count, 3))
    at = np.arange(_CANVAS) * count // _CANVAS
    if rng.random() < 0.3:
        return np.array(colours[(at[:, None] + at[None]) % count])
    bars = np.broadcast_to(colours[at], (_CANVAS, _CANVAS, 3))
    return bars if rng.random() < 0.6 else bars.swapaxes(0, 1)


def _shapes(rng: Rng) -> np.ndarray:
    """Flat shapes on a soft ground, as in cartoons; sometimes out of focus, as in photographs."""
    picture = _rgb((_gradient if rng.random() < 0.5 else _fractal)(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(2, 16)):
        centre, size = rng.uniform(0, _CANVAS, 2), rng.uniform(3, 60, 2)
        box = (*(centre - size / 2), *(centre + size / 2))
        _paint(draw, box, _any_fill(rng), rng)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0, 1, 3, 8])))))


def _paint(draw: ImageDraw.ImageDraw, box: tuple[float, ...], fill: tuple[int, ...], rng: Rng) -> None:
    shape = rng.integers(4)
    if shape == 0:
        draw.rectangle(box, fill=fill)
    elif shape == 1:
        draw.ellipse(box, fill=fill, outline=(0, 0, 0) if rng.random() < 0.3 else None)
    elif shape == 2:
        draw.polygon([tuple(point) for point in rng.uniform(0, _CANVAS, (3, 2))], fill=fill)
    else:
        draw.line(box, fill=fill, width=int(rng.integers(1, 12)))


def _any_fill(rng: Rng) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def _text(rng: Rng) -> np.ndarray:
    """Lines of letters and digits on one colour."""
    picture = _rgb((_flat if rng.random() < 0.7 else _fractal)(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, 8)):
        letters = "".join(chr(code) for code in rng.integers(48, 91, rng.integers(2, 14)))
        spot = tuple(rng.uniform(-10, _CANVAS * 0.8, 2))
        draw.text(spot, letters, font=ImageFont.load_default(rng.integers(8, 60)), fill=_any_fill(rng))
    return np.asarray(picture)


def _horizon(rng: Rng) -> np.ndarray:
    """Sky or wall above, ground or lawn below, both with texture: the frame of most outdoor shots."""
    above, below = _fractal(rng), _fractal(rng) * 0.3 + _colour(rng) * 0.7
    line = int(rng.integers(20, 108))
    above[line:] = below[line:]
    return above


_STILLS = (
    _fractal,
    _fractal,
    _fractal,
    _horizon,
    _horizon,
    _shapes,
    _shapes,
    _shapes,
    _gradient,
    _flat,
    _white_noise,
    _bars,
    _text,
)


def _with_movers(pictures: np.ndarray, rng: Rng) -> np.ndarray:
    """Flat or textured blobs that cross the pictures."""
    moved = [Image.fromarray(picture) for picture in pictures]
    for _ in range(rng.integers(1, 5)):
        place, speed, size = rng.uniform(0, SIDE, 2), rng.normal(0, 2, 2), rng.uniform(2, 28, 2)
        fill, round_ = _any_fill(rng), rng.random() < 0.6
        for number, picture in enumerate(moved):
            at = place + speed * number
            draw = ImageDraw.Draw(picture)
            (draw.ellipse if round_ else draw.rectangle)((*at, *(at + size)), fill=fill)
    return np.stack([np.asarray(picture) for picture in moved])


def _letterboxed(pictures: np.ndarray, rng: Rng) -> np.ndarray:
    boxed, edge = pictures.copy(), int(rng.integers(4, 20))
    if rng.random() < 0.5:
        boxed[:, :edge], boxed[:, -edge:] = 0, 0
    else:
        boxed[:, :, :edge], boxed[:, :, -edge:] = 0, 0
    return boxed


def _torn(picture: np.ndarray, length: int, rng: Rng) -> np.ndarray:
    """A picture of the game cut into squares that are laid out anew, now and then in yet another order."""
    side = int(rng.choice([8, 16, 32]))
    rows = SIDE // side
    squares = picture.reshape(rows, side, rows, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    order = rng.permutation(len(squares))
    frames = []
    for _ in range(length):
        if rng.random() < 0.1:
            order = rng.permutation(len(squares))
        laid = squares[order].reshape(rows, rows, side, side, 3).swapaxes(1, 2)
        frames.append(laid.reshape(SIDE, SIDE, 3))
    return np.stack(frames)


def _graded(pictures: np.ndarray, rng: Rng) -> np.ndarray:
    """Exposure, contrast, grey film and camera noise."""
    values = pictures.astype(np.float32)
    if rng.random() < 0.15:
        values = np.repeat(values.mean(-1, keepdims=True), 3, -1)
    values = (values - 128) * rng.uniform(0.4, 1.3) + 128 + rng.uniform(-50, 50)
    values += rng.normal(0, rng.uniform(0, 10), values.shape)
    return np.clip(values, 0, 255).astype(np.uint8)
