"""Indexing a video: when every picture is shown, from one pass over its packets.

Packets are believed where each has a time of its own, none is damaged, and decoding the beginning of the
stream presents exactly what its packets announce. Otherwise (old AVI files, damage, recordings glued
together, streams without times) all of it is decoded: the index must not promise a picture that is not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.video import MAX_PICTURES, VideoFacts, VideoIndex
from vlmd.media import isobmff, matroska
from vlmd.media.container import (
    Demuxer,
    PacketDecoder,
    interval_ticks,
    open_container,
    open_video_stream,
    stated_size,
    tick_seconds,
    too_large,
)
from vlmd.media.fingerprint import ReadingHead
from vlmd.media.presentation import Clock
from vlmd.media.scan import PacketScan, Picture

_LONGEST_MS = 10 * 366 * 86_400_000
"""Ten years; times beyond are damage, and would not fit the arithmetic of others."""


_MOST_BAD = 0.5
"""The largest share of damaged packets with which a video still counts as one."""

_NOTHING_TO_SEE = {Code.NOT_VIDEO, Code.NO_VIDEO_STREAM, Code.UNDECODABLE}


def index_video(fd: int, limits: DecodeLimits, on_progress: Callable[[int], None]) -> VideoIndex:
    """The index of the video in `fd`; `on_progress` is called often, with the bytes read so far.

    Raises `MediaError`.
    """
    if isobmff.is_encrypted(fd) or matroska.is_encrypted(fd):
        raise MediaError(Code.ENCRYPTED, "its pictures are encrypted")
    try:
        return IndexJob(fd, limits, on_progress).run()
    except MediaError as error:
        if error.failure.code in _NOTHING_TO_SEE and isobmff.is_cut_off(fd):
            reason = "it begins like an MP4, but ends before its own index does"
            raise MediaError(Code.TRUNCATED, reason) from error
        raise


class IndexJob:
    """One pass, or two, over a video."""

    def __init__(self, fd: int, limits: DecodeLimits, on_progress: Callable[[int], None]) -> None:
        self._fd = fd
        self._limits = limits
        self._on_progress = on_progress
        self._head = ReadingHead()
        self._container, self._stream = self._open()
        self._scan = PacketScan(self._stream)
        self._picture: Picture | None = None
        self._bad_packets = 0
        self._undecoded = 0

    def run(self) -> VideoIndex:
        """The index. Raises `MediaError`."""
        self._read_packets()
        pts, exact = self._times()
        if not pts or self._picture is None:
            self._refuse_too_large(*stated_size(self._fd))
            raise MediaError(Code.UNDECODABLE, "no picture of it can be decoded")
        self._refuse_ruins()
        time_base = tick_seconds(self._stream)
        return VideoIndex(
            facts=self._facts(pts, self._picture),
            time_base=(time_base.numerator, time_base.denominator),
            pts=pts,
            keyframes=self._scan.keyframes_among(pts) if exact and self._can_be_sought(self._picture) else [],
        )

    def _read_packets(self) -> None:
        demuxer = Demuxer(self._container)
        for packet in demuxer.packets():
            self._scan.add(packet)
            _refuse_too_many(self._scan.packets)
        self._scan.end()
        self._picture = self._scan.picture
        self._bad_packets = demuxer.errors + self._scan.corrupt_packets

    def _times(self) -> tuple[list[int], bool]:
        """When pictures are shown, and whether these are the very times of their packets."""
        if not self._bad_packets and (believed := self._scan.believed()):
            return believed, True
        decoded = self._decode_everything()
        announced = self._scan.announced()
        return decoded, announced is not None and set(decoded) <= set(announced)

    def _decode_everything(self) -> list[int]:
        container, stream = self._open()
        clock = Clock(tick_seconds(stream), interval_ticks(stream))
        demuxer, decoder = Demuxer(container), PacketDecoder(stream)
        times = []
        for frame in decoder.frames(demuxer.packets(stream), self._beat):
            self._picture = self._picture or Picture.of(frame)
            times.append(clock.show(frame.pts, frame.dts))
            _refuse_too_many(len(times))
        self._bad_packets = max(self._bad_packets, demuxer.errors + decoder.bad_packets)
        self._undecoded = decoder.bad_packets
        return times

    def _refuse_ruins(self) -> None:
        """What little can be seen of a video most of which is lost would pass for all of it."""
        if (bad := self._undecoded) > self._scan.packets * _MOST_BAD:
            reason = f"{bad} of its {self._scan.packets} packets of pictures are damaged"
            raise MediaError(Code.UNDECODABLE, reason)

    def _facts(self, pts: list[int], picture: Picture) -> VideoFacts:
        self._refuse_too_large(picture.width, picture.height)
        tick_ms = 1000 * tick_seconds(self._stream)
        duration_ms = ceil((pts[-1] - pts[0] + self._scan.last_duration()) * tick_ms)
        start_ms = floor(pts[0] * tick_ms)
        if max(duration_ms, abs(start_ms)) > _LONGEST_MS:
            raise MediaError(Code.UNDECODABLE, "its pictures' times make no sense")
        upright = picture.rotation % 180 == 0
        return VideoFacts(
            fingerprint="",  # the client's to say
            size_bytes=os.fstat(self._fd).st_size,
            container=self._container.format.name,
            codec=self._stream.codec_context.name,
            pixel_format=picture.pixel_format,
            width=picture.width if upright else picture.height,
            height=picture.height if upright else picture.width,
            rotation=picture.rotation,
            duration_ms=duration_ms,
            start_ms=start_ms,
            frames=len(pts),
            truncated=self._scan.truncated(_seconds(self._container.duration)),
            bad_packets=self._bad_packets,
        )

    def _refuse_too_large(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise too_large(width, height, self._limits)

    def _can_be_sought(self, picture: Picture) -> bool:
        # H.264 4:4:4 decodes to other pixels after a seek: FFmpeg's work-around for old x264 builds depends
        # on a message that stands only at the beginning of the stream.
        full_chroma = "444" in picture.pixel_format or picture.pixel_format.startswith("gbr")
        return not (self._stream.codec_context.name == "h264" and full_chroma)

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container = open_container(self._fd, self._limits, self._read)
        return container, open_video_stream(container, self._limits)

    def _read(self, position: int, data: bytes) -> None:
        self._head.saw(position, len(data))
        self._beat()

    def _beat(self) -> None:
        self._on_progress(self._head.at)


def _refuse_too_many(pictures: int) -> None:
    if pictures > MAX_PICTURES:
        raise MediaError(Code.TOO_MANY_PICTURES, f"it has more than {MAX_PICTURES} pictures")


def _seconds(container_time: int | None) -> Fraction | None:
    return None if container_time is None else Fraction(container_time, av.time_base)
