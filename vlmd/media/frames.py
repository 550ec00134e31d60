"""Decoding the pictures that were asked for, turned and scaled, into shared memory.

The picture for a time depends on (video, time) alone, however the work was cut: decoding always begins at a
keyframe at or before the one asked for, one thread decodes, and the scaler runs in its bit-exact mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from vlmd.core.messages.decoder import DecodeFrames
from vlmd.media.container import (
    Demuxer,
    PacketDecoder,
    interval_ticks,
    open_container,
    open_video_stream,
    tick_seconds,
)
from vlmd.media.presentation import Clock

_SCALING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_STEPS_BACK_SECONDS = (0, 1, 5, 30)
"""How much earlier to seek, in turn, while a container lands behind the keyframe asked for."""

Pixels = npt.NDArray[np.uint8]


class Scaler:
    """Turns a decoded picture into an upright one of one size, its colours in this order."""

    def __init__(self, width: int, height: int, rotation: int, colours: Literal["rgb24", "bgr24"] = "rgb24") -> None:
        self._colours = colours
        self._turns = rotation // 90
        self._width, self._height = (height, width) if self._turns % 2 else (width, height)
        self._reformatter = VideoReformatter()

    def scale(self, frame: VideoFrame) -> Pixels:
        """`frame` as (height, width, 3). Raises `av.FFmpegError` for a picture that cannot be converted."""
        scaled = self._reformatter.reformat(
            frame, self._width, self._height, self._colours, interpolation=_SCALING, threads=1
        ).to_ndarray()
        return np.rot90(scaled, self._turns)  # counter-clockwise, like the stream's own rotation


class FrameJob:
    """One `DecodeFrames` request: walks through the stream and fills the slots."""

    def __init__(
        self,
        fd: int,
        request: DecodeFrames,
        slots: Pixels,
        on_frame: Callable[[int, int], None],
        on_progress: Callable[[int], None],
    ) -> None:
        self._request = request
        self._slots = slots
        self._on_frame = on_frame
        self._on_progress = on_progress
        self._scaler = Scaler(request.width, request.height, request.rotation)
        self._packets_read = 0
        self._next = 0
        self._unscaled = 0
        self._fd = fd
        self._open()

    def _open(self) -> None:
        self._container = open_container(self._fd, self._request.limits, lambda *_: self._beat())
        self._stream = open_video_stream(self._container, self._request.limits)
        self._demuxer = Demuxer(self._container)
        self._decoder = PacketDecoder(self._stream)

    def run(self) -> int:
        """Fill all slots that can be filled; returns how many packets were bad."""
        packets = self._packets_to_decode()
        clock = Clock(tick_seconds(self._stream), interval_ticks(self._stream))
        for frame in self._decoder.frames(packets, self._count_packet):
            self._take(frame, clock.show(frame.pts, frame.dts))
            if self._next == len(self._request.pts):
                break
        return self._demuxer.errors + self._decoder.bad_packets + self._unscaled

    def _take(self, frame: VideoFrame, time: int) -> None:
        wanted = self._request.pts
        while self._next < len(wanted) and wanted[self._next] < time:
            self._next += 1
        if self._next == len(wanted) or wanted[self._next] != time:
            return
        slot, self._next = self._next, self._next + 1
        try:
            self._slots[slot] = self._scaler.scale(frame)
        except MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            self._unscaled += 1
            return
        self._on_frame(slot, time)

    def _count_packet(self) -> None:
        self._packets_read += 1
        self._beat()

    def _beat(self) -> None:
        self._on_progress(self._packets_read)

    def _packets_to_decode(self) -> Iterator[Packet[VideoStream]]:
        """Packets from a keyframe at or before the one asked for; from the beginning where none is found."""
        seek = self._request.seek
        if seek is None:
            return self._demuxer.packets(self._stream)
        for seconds in _STEPS_BACK_SECONDS:
            target = seek - round(seconds / tick_seconds(self._stream))
            if (packets := self._sought(seek, target)) is not None:
                return packets
        self._open()  # anew: seeking to the beginning does not lead there in every container
        return self._demuxer.packets(self._stream)

    def _sought(self, keyframe: int, target: int) -> Iterator[Packet[VideoStream]] | None:
        """Packets from the first keyframe found at `target`; None if it lies behind `keyframe`."""
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except av.FFmpegError:
            return None
        packets = self._demuxer.packets(self._stream)
        first = next((packet for packet in packets if packet.is_keyframe and packet.pts is not None), None)
        if first is None or first.pts is None or first.pts > keyframe:
            return None
        return chain([first], packets)
