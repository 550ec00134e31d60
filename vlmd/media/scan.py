"""The pass over a container's packets: what they announce, and whether that may be believed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vlmd.media.container import PacketDecoder, interval_ticks, tick_seconds

_HEAD_PACKETS = 64
"""Packets at the beginning that are decoded to see whether the others may be believed."""
_TRUNCATED_SECONDS = Fraction(1, 2)
"""How much less than promised a file may hold without counting as truncated: headers round."""
_LONGEST_PICTURE_SECONDS = 10
"""A longer duration of the last packet is not believed."""
_VP8_SHOWN = 0x10
"""The show_frame bit in the first byte of a VP8 frame (RFC 6386, 9.1)."""


class Picture(msgspec.Struct, frozen=True):
    """What the first decoded picture looks like; sizes in pixels as coded."""

    width: int
    height: int
    pixel_format: str
    rotation: int
    """Degrees it is to be turned counter-clockwise: 0, 90, 180 or 270."""

    @classmethod
    def of(cls, frame: VideoFrame) -> Picture:
        return cls(frame.width, frame.height, frame.format.name, round(frame.rotation / 90) * 90 % 360)


class PacketScan:
    """Takes every packet of a container, in order; decodes the first ones of the video on the way."""

    def __init__(self, stream: VideoStream) -> None:
        self.picture: Picture | None = None
        self.corrupt_packets = 0
        self.packets = 0
        """Of the video."""
        self._stream = stream
        self._decoder = PacketDecoder(stream)
        self._announced: list[int] = []
        self._keyframes: list[int] = []
        self._decoded: list[int | None] = []
        self._drained = False
        self._in_order = True
        self._last_dts: int | None = None
        self._last_shown: tuple[int, int] | None = None
        self._ends: dict[int, tuple[int, Fraction]] = {}
        self._cut_off = False

    def add(self, packet: Packet[Any]) -> None:
        self._cut_off = packet.is_corrupt
        self.corrupt_packets += packet.is_corrupt
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0), packet.time_base)
            self._ends[packet.stream_index] = max(end, self._ends.get(packet.stream_index, end))
        if packet.stream_index == self._stream.index:
            self._add_video(packet)

    def end(self) -> None:
        """There are no more packets."""
        if self.packets <= _HEAD_PACKETS:
            self._see(self._decoder.drain())
            self._drained = True

    def announced(self) -> list[int] | None:
        """Times of all pictures by their packets, ascending; None where some lack, repeat or are jumbled."""
        times = sorted(set(self._announced))
        return times if self._in_order and len(times) == len(self._announced) else None

    def believed(self) -> list[int] | None:
        """`announced` from the first decodable picture on, if what was decoded bears it out; else None."""
        announced = self.announced()
        decoded = [time for time in self._decoded if time is not None]
        damaged = self.corrupt_packets or self._decoder.bad_packets
        if announced is None or not decoded or damaged or len(decoded) < len(self._decoded):
            return None
        shown = [time for time in announced if time >= decoded[0]]
        head = shown if self._drained else shown[: len(decoded)]
        return shown if head == decoded else None

    def keyframes_among(self, pts: list[int]) -> list[int]:
        return sorted(set(self._keyframes).intersection(pts))

    def last_duration(self) -> int:
        """Ticks the last picture is shown: as its packet says, if that makes sense."""
        _, stated = self._last_shown or (0, 0)
        longest = _LONGEST_PICTURE_SECONDS / tick_seconds(self._stream)
        return stated if 0 < stated <= longest else interval_ticks(self._stream)

    def truncated(self, container_seconds: Fraction | None) -> bool:
        """Whether the file promises more than its packets hold, or ends within one."""
        stream, ends = self._stream, {at: ticks * tick for at, (ticks, tick) in self._ends.items()}
        if stream.duration:
            promised = ((stream.start_time or 0) + stream.duration) * tick_seconds(stream)
            held = ends.get(stream.index)
        else:
            promised = container_seconds or Fraction(0)
            held = max(ends.values(), default=None)
        return self._cut_off or (held is not None and promised - held > _TRUNCATED_SECONDS)

    def _add_video(self, packet: Packet[Any]) -> None:
        self.packets += 1
        if self.packets <= _HEAD_PACKETS:
            self._see(self._decoder.decode(packet))
        if packet.dts is not None:
            self._in_order &= self._last_dts is None or packet.dts >= self._last_dts
            self._last_dts = packet.dts
        if packet.is_discard or not self._is_shown(packet):
            return
        if packet.pts is None:
            self._in_order = False
            return
        self._announced.append(packet.pts)
        shown = (packet.pts, packet.duration or 0)
        self._last_shown = max(self._last_shown or shown, shown)
        if packet.is_keyframe:
            self._keyframes.append(packet.pts)

    def _is_shown(self, packet: Packet[Any]) -> bool:
        """Whether a packet presents a picture: empty ones repeat the last, some of VP8 only serve others."""
        if not packet.size:
            return False
        return self._stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & _VP8_SHOWN)

    def _see(self, frames: list[VideoFrame]) -> None:
        for frame in frames:
            self.picture = self.picture or Picture.of(frame)
            self._decoded.append(frame.pts)
