"""Opening a container with FFmpeg so that it reads the one descriptor given, and nothing else.

A file object alone would be worse than a path: playlists could then open sockets and other files. Only
together do the file object, the refusing `io_open`, the whitelists and the sandbox keep a video to itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits

FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"
"""Demuxers by one of their names. No playlists, no text, no raw streams, nothing that opens other files."""

CODECS = (
    "h264,hevc,libdav1d,av1,vp8,vp9,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,h263p,flv,"
    "wmv1,wmv2,wmv3,vc1,theora,mjpeg,prores,dnxhd,ffv1,dvvideo,svq1,svq3,vp6,vp6f,cinepak,png"
)
"""Decoders for what people have; the rarely used ones, where most holes are found, stay closed."""

_MAX_STREAMS = 100
_BUFFER_BYTES = 256 << 10
_MAX_READ_ERRORS = 50
"""In a row, without a packet between them."""
_NOT_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails


class Descriptor:
    """A file as FFmpeg wants it. Its position is its own: the descriptor's is shared with other processes."""

    def __init__(self, fd: int, on_read: Callable[[int, bytes], None]) -> None:
        self._fd = fd
        self._at = 0
        self._on_read = on_read

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, size, self._at)
        self._on_read(self._at, data)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        if base + offset < 0:
            raise OSError("a position before the beginning of the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at


def open_container(fd: int, limits: DecodeLimits, on_read: Callable[[int, bytes], None]) -> InputContainer:
    """The container in `fd`; `on_read` is told position and bytes of every read. Raises `MediaError`."""
    return _open(fd, {"max_pixels": str(limits.max_pixels)}, on_read)


def stated_size(fd: int) -> tuple[int, int]:
    """Width and height the first video stream of `fd` claims, without decoding a picture; (0, 0) if none.

    Where pictures are larger than `max_pixels`, a decoder that is told so forgets their size.
    """
    streams = _open(fd, {"skip_frame": "all"}, lambda *_: None).streams.video
    return (streams[0].codec_context.width, streams[0].codec_context.height) if streams else (0, 0)


def _open(fd: int, probing: dict[str, str], on_read: Callable[[int, bytes], None]) -> InputContainer:
    try:
        container: InputContainer = av.open(
            Descriptor(fd, on_read),
            mode="r",
            buffer_size=_BUFFER_BYTES,
            io_open=_refuse,
            options={"threads": "1"} | probing,
            container_options={
                "format_whitelist": FORMATS,
                "protocol_whitelist": "none",
                "codec_whitelist": CODECS,
                "max_streams": str(_MAX_STREAMS),
            },
        )
        return container
    except MemoryError as error:
        # FFmpeg says so, too, when it has refused to set up another stream.
        reason = f"opening it takes more memory than allowed, or it has more than {_MAX_STREAMS} streams"
        raise MediaError(Code.DECODER_LIMIT, reason) from error
    except (av.FFmpegError, ValueError) as error:
        said = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        raise MediaError(Code.NOT_VIDEO, f"no video that vlmd can open: {said}") from error


def open_video_stream(container: InputContainer, limits: DecodeLimits) -> VideoStream:
    """The stream to look at: the first with moving pictures, its decoder set up and not yet begun."""
    streams = [stream for stream in container.streams.video if not stream.disposition & _NOT_PICTURES]
    if not streams:
        raise MediaError(Code.NO_VIDEO_STREAM, "the file has no video stream")
    stream = streams[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS.split(","):
        name = "an unknown codec" if context is None else f"the codec {context.name}"
        raise MediaError(Code.UNDECODABLE, f"{name} is not among those vlmd decodes")
    if context.width * context.height > limits.max_pixels:
        raise too_large(context.width, context.height, limits)
    tick_seconds(stream)
    context.thread_count = 1
    context.options = {"max_pixels": str(limits.max_pixels)}
    return stream


def too_large(width: int, height: int, limits: DecodeLimits) -> MediaError:
    return MediaError(
        Code.BAD_DIMENSIONS, f"pictures of {width}x{height} are more than {limits.max_pixels} pixels allowed"
    )


def tick_seconds(stream: VideoStream) -> Fraction:
    """Seconds per tick of the stream's clock."""
    if stream.time_base is None or stream.time_base <= 0:
        raise MediaError(Code.UNDECODABLE, "the video stream has no clock")
    return stream.time_base


def interval_ticks(stream: VideoStream) -> int:
    """The usual ticks between two pictures, by the average rate; a 25th of a second where there is none."""
    rate = stream.average_rate or Fraction(25)
    return max(1, round(1 / (rate * tick_seconds(stream))))


class Demuxer:
    """Packets of a container, one after the other, past places that cannot be read."""

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self.errors = 0

    def packets(self, stream: VideoStream | None = None) -> Iterator[Packet[Any]]:
        """Packets of `stream`, or of all; without the empty ones that PyAV adds at the end of each."""
        in_a_row = 0
        while in_a_row < _MAX_READ_ERRORS:
            try:
                for packet in self._container.demux(*([stream] if stream else [])):
                    in_a_row = 0
                    if packet.size or packet.pts is not None or packet.dts is not None:
                        yield packet
                return
            except MemoryError:
                raise
            except av.FFmpegError:
                self.errors += 1
                in_a_row += 1


class PacketDecoder:
    """Decodes packet by packet: one bad packet is one bad packet."""

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self.bad_packets = 0

    def decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        # A packet without bytes repeats the picture before it; the decoder would take it for the end.
        return self._decode(packet) if packet.size else []

    def frames(self, packets: Iterator[Packet[VideoStream]], on_packet: Callable[[], None]) -> Iterator[VideoFrame]:
        """Pictures of `packets` up to the end of the stream; `on_packet` is called for each packet."""
        for packet in packets:
            on_packet()
            yield from self.decode(packet)
        yield from self.drain()

    def drain(self) -> list[VideoFrame]:
        """Pictures the decoder still holds at the end of the stream."""
        return self._decode(None)

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._context.decode(packet)
        except MemoryError:
            raise
        except EOFError:
            return []
        except (av.FFmpegError, ValueError):
            self.bad_packets += 1
            return []


def _refuse(url: str, flags: int, options: dict[str, str]) -> object:
    raise PermissionError("a video may not open anything else")
