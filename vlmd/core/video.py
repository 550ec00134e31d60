"""What is known of a video: which file, what the decoder found in it, when its pictures are shown."""

from __future__ import annotations

from fractions import Fraction

import msgspec

MAX_PICTURES = 1 << 22
"""Of one video: 46 hours at 25 a second. Bounds what an index takes in memory and on its way."""


class FileIdentity(msgspec.Struct, frozen=True):
    """The facts of stat(2) that change when somebody writes to, or replaces, a file.

    Not the device: its number may be another one after a reboot or remount.
    """

    inode: int
    size: int
    mtime_ns: int


class FileRef(msgspec.Struct, frozen=True):
    """A file to open safely.

    `path` is absolute, as bytes: names may be anything. No component below `root` may be a symbolic link;
    `root` is the inbox for dropped files, and the file's own folder for submitted ones.
    """

    root: bytes
    path: bytes
    identity: FileIdentity


class VideoFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over the packets says. Sizes are in pixels as shown, rotation applied."""

    fingerprint: str
    """sha256 of the file's bytes, in hex. Made by the decoder's client: what a decoder says of it does not count."""
    size_bytes: int
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    """Degrees the coded pictures are turned, counter-clockwise: 0, 90, 180 or 270."""
    duration_ms: int
    """From the first picture to the end of the last one, by the packets' own times."""
    start_ms: int
    """Presentation time of the first picture in the container; every other time counts from it."""
    frames: int
    truncated: bool
    """The container promises more than its packets hold."""
    bad_packets: int


class VideoIndex(msgspec.Struct, frozen=True, kw_only=True):
    """When every picture is shown, in ticks of the stream's own clock, ascending, no two alike."""

    facts: VideoFacts
    time_base: tuple[int, int]
    """Seconds per tick, as a fraction."""
    pts: list[int]
    keyframes: list[int]
    """Ticks of the keyframes that may be sought to; empty where only the very beginning is a safe start."""

    def ms(self, pts: int) -> int:
        """Milliseconds from the first picture to the picture at `pts`, rounded down."""
        numerator, denominator = self.time_base
        return (pts - self.pts[0]) * 1000 * numerator // denominator


def seconds_to_ms(seconds: float) -> int:
    """Seconds as people write them (2.5) to milliseconds, without float drift."""
    return round(Fraction(str(seconds)) * 1000)
