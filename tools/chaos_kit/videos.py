"""Small films for tests: real h264 with real groups of pictures, every picture another, the same at every call."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, FPS, GROUP = 160, 120, 10, 10
"""A keyframe every second, so that decoding can begin in the middle."""


def render(path: Path, seconds: float, seed: int) -> Path:
    """Coloured blocks that wander over a gradient; another seed is another film."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = GROUP
        for number in range(round(seconds * FPS)):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(number, seed), format="rgb24")))
        output.mux(stream.encode())
    return path


def _picture(number: int, seed: int) -> npt.NDArray[np.uint8]:
    """(height, width, 3) RGB."""
    dice = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([rows + seed * 40, columns + number, rows + columns], axis=-1) % 256
    for size in (16, 24, 32):
        colour = dice.integers(0, 256, 3)
        speed = dice.integers(1, 5, 2)
        top, left = (number * speed + dice.integers(0, 100, 2)) % (HEIGHT - size, WIDTH - size)
        picture[top : top + size, left : left + size] = colour
    return np.ascontiguousarray(picture, dtype=np.uint8)
