"""Videos made for a test, and what a decoding from end to end gives: the standard for everything else."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation

from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.video import FileRef, VideoIndex
from vlmd.media.client import Decoder
from vlmd.media.opening import identify

LIMITS = DecodeLimits(cpu_seconds=60, stall_seconds=20)
_MUXERS = {".mkv": "matroska", ".ts": "mpegts"}
SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def ref(path: Path) -> FileRef:
    root, name = os.fsencode(path.parent), os.fsencode(path)
    return FileRef(root, name, identify(root, name))


def index_of(path: Path, limits: DecodeLimits = LIMITS) -> VideoIndex:
    with Decoder.start(ref(path), limits) as decoder:
        return decoder.index()


def pictures_of(
    path: Path, pts: list[int], seek: int | None, size: tuple[int, int], rotation: int = 0
) -> dict[int, np.ndarray]:
    with Decoder.start(ref(path), LIMITS) as decoder:
        stream = decoder.frames(pts, seek, *size, rotation)
        return {time: stream.picture(slot) for slot, time in stream}


def every_frame(path: Path) -> Iterator[av.VideoFrame]:
    """All pictures from the beginning to the end, one thread, damaged packets left out."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams.video if not stream.disposition & 0x400)
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            if packet.size:
                yield from _decoded(stream, packet)
        yield from _decoded(stream, None)


def _decoded(stream: Any, packet: Any) -> list[av.VideoFrame]:
    try:
        return stream.codec_context.decode(packet)
    except av.FFmpegError:
        return []


def scaled(frame: av.VideoFrame, size: tuple[int, int], rotation: int) -> np.ndarray:
    """The picture as it is shown, `size` being width and height."""
    turns = rotation // 90
    width, height = size[::-1] if turns % 2 else size
    rgb = frame.reformat(width, height, "rgb24", interpolation=SCALING, threads=1).to_ndarray()
    return np.rot90(rgb, turns)


def film(
    path: Path,
    *,
    codec: str = "mpeg4",
    count: int = 50,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
) -> Path:
    """A video whose pictures tell their own number; `times` are in ticks of 1/1000 s where given."""
    memory = io.BytesIO()
    with av.open(memory, "w", format=_MUXERS.get(path.suffix, path.suffix[1:])) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), "rgb24").reformat(format=pixel_format)
            if times:
                frame.time_base, frame.pts = Fraction(1, 1000), times[number]
            else:
                frame.time_base, frame.pts = Fraction(1, rate), number
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    path.write_bytes(memory.getvalue())
    return path


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """A picture that differs from its neighbours everywhere: a gradient that moves."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    colours = [x * 4 + number * 7, y * 5 + number * 3, np.full_like(x, number * 5)]
    return (np.stack(colours, -1) % 256).astype(np.uint8)
