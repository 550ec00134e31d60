"""Draws a planned match and writes it as an h264 film; the same seed gives the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from vlmd.demo.game import Match, TrueEvent, plan_match
from vlmd.demo.shots import Studio

WIDTH, HEIGHT = 320, 180
_NOISE_BANK = 7


def render_match(
    path: Path,
    seed: int,
    seconds: float,
    fps: int = 25,
    crf: int = 23,
    drawn: Callable[[float], None] = lambda seconds: None,
) -> list[TrueEvent]:
    """Writes the match of `seed` to `path` as mp4 (320 × 180, h264) and returns what truly happens in it.

    `drawn` is told after every picture how many seconds of film there are.
    """
    match = plan_match(seed, seconds)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "superfast", "threads": "1"}
        for number, picture in enumerate(draw_frames(match, fps)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
            drawn((number + 1) / fps)
        container.mux(stream.encode())
    return match.events()


def draw_frames(match: Match, fps: int) -> Iterator[np.ndarray]:
    """The pictures of a match in order, each uint8 of shape (180, 320, 3)."""
    rng = np.random.default_rng([match.seed, 1])
    studio = Studio(match, rng)
    noise = _noise_bank(rng)
    for number in range(match.length_ms * fps // 1000):
        ms = number * 1000 // fps
        yield _with_noise(studio.shoot(ms), noise[number % _NOISE_BANK])


def _noise_bank(rng: np.random.Generator) -> np.ndarray:
    """Camera noise, int16 of shape (7, 180, 320, 1)."""
    strength = rng.uniform(0, 6)
    return (rng.standard_normal((_NOISE_BANK, HEIGHT, WIDTH, 1), dtype=np.float32) * strength).astype(np.int16)


def _with_noise(picture: Image.Image, noise: np.ndarray) -> np.ndarray:
    pixels = np.asarray(picture).astype(np.int16)
    pixels += noise
    return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
