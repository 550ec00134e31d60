"""Where scenes begin: PySceneDetect's content detector over our own decoder.

Every picture is decoded once, as its detector would see it: scaled to 256 pixels on its longer side. A picture that
differs from the one before it by more than the threshold begins a scene; how long a scene has to be is for the window
plan to say.
"""

from __future__ import annotations

from collections.abc import Callable

import av
import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from vlmd.core.messages.decoder import FindCuts
from vlmd.media.container import (
    Demuxer,
    PacketDecoder,
    interval_ticks,
    open_container,
    open_video_stream,
    tick_seconds,
)
from vlmd.media.frames import Pixels, Scaler
from vlmd.media.presentation import Clock

_ANY_RATE = 25.0
"""The detector counts pictures; times are ours."""


class CutFinder:
    """Hears of one picture after another."""

    def __init__(self, threshold: float) -> None:
        self._detector = ContentDetector(threshold=threshold, min_scene_len=0)
        self._pictures = 0

    def is_cut(self, picture: Pixels) -> bool:
        """Whether `picture`, (height, width, 3) BGR, begins a scene. The first one does not count as a cut."""
        timecode = FrameTimecode(self._pictures, _ANY_RATE)
        self._pictures += 1
        return bool(self._detector.process_frame(timecode, np.ascontiguousarray(picture)))


def warm_up() -> None:
    """Whatever is imported or allocated late, before the process locks itself up; and no threads."""
    cv2.setNumThreads(1)
    finder = CutFinder(27.0)
    for shade in (0, 255):
        finder.is_cut(np.full((16, 16, 3), shade, np.uint8))


def find_cuts(fd: int, request: FindCuts, on_progress: Callable[[int], None]) -> list[int]:
    """Ticks of every picture that begins a scene, but for the first; `on_progress` is told the packets read so far."""
    packets = 0

    def count() -> None:
        nonlocal packets
        packets += 1
        on_progress(packets)

    container = open_container(fd, request.limits, lambda *_: on_progress(packets))
    stream = open_video_stream(container, request.limits)
    clock = Clock(tick_seconds(stream), interval_ticks(stream))
    scaler = Scaler(request.width, request.height, request.rotation, "bgr24")
    finder = CutFinder(request.threshold)
    cuts = []
    for frame in PacketDecoder(stream).frames(Demuxer(container).packets(stream), count):
        time = clock.show(frame.pts, frame.dts)
        try:
            picture = scaler.scale(frame)
        except (av.FFmpegError, ValueError):
            continue  # it cannot be shown either
        if finder.is_cut(picture):
            cuts.append(time)
    return cuts
