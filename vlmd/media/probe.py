"""For `vlmd doctor`: which FFmpeg is there, and a video of a second to try a decoder on: `… probe FD PATH`."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import av
import numpy as np

_PICTURES, _RATE = 10, 10


def write_video(path: str) -> None:
    """Ten grey pictures, as mp4."""
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(_PICTURES):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def main(fd: int, path: str) -> None:
    write_video(path)
    with open(fd, "w", encoding="utf-8") as pipe:
        json.dump({"av": av.__version__, "ffmpeg": av.ffmpeg_version_info}, pipe)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
