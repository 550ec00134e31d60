"""To a decoder, and what it says."""

from __future__ import annotations

import msgspec

from vlmd.core.errors import Failure
from vlmd.core.messages.base import Message
from vlmd.core.video import VideoIndex

# --- to a decoder ------------------------------------------------------------------------------------------


class DecodeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one decoder process may use; exceeding one is a reason code, not a crash of anything else."""

    max_pixels: int = 8192 * 4320
    memory_bytes: int = 4 << 30
    """Address space of the decoder process (RLIMIT_AS)."""
    cpu_seconds: int = 3600
    stall_seconds: float = 30.0
    """Longest silence between two signs of progress before it is killed."""
    wall_seconds: float = 14_400.0
    """Longest it may be waited for in all; the time its pictures wait for the model does not count."""
    require_sandbox: bool = True


class IndexVideo(Message, frozen=True):
    """One pass over the packets of the video whose descriptor comes with this message."""

    limits: DecodeLimits


class DecodeFrames(Message, frozen=True):
    """Decode the pictures at `pts` into the memory file that comes with this message, slot after slot.

    A slot is height × width × 3 bytes of RGB. `seek` is a keyframe's ticks, or None for the beginning.
    """

    limits: DecodeLimits
    pts: list[int]
    seek: int | None
    width: int
    height: int
    rotation: int


class FindCuts(Message, frozen=True):
    """Decode every picture of the video whose descriptor comes with this message, and say which begin a scene.

    They are compared upright, at `width` x `height`; `threshold` is that of PySceneDetect's content detector.
    """

    limits: DecodeLimits
    width: int
    height: int
    rotation: int
    threshold: float


# --- from a decoder ----------------------------------------------------------------------------------------


class Sandboxed(Message, frozen=True):
    """The decoder has locked itself up; `missing` names what this kernel could not give."""

    missing: list[str]


class IndexProgress(Message, frozen=True):
    bytes_read: int


class Indexed(Message, frozen=True):
    index: VideoIndex


class FrameDecoded(Message, frozen=True):
    """The picture at `pts` lies in `slot`; slots come in ascending order, a skipped one cannot be decoded."""

    slot: int
    pts: int


class DecodeProgress(Message, frozen=True):
    """Still decoding towards the next wanted picture."""

    packets: int


class CutsFound(Message, frozen=True):
    """Ticks of the pictures that begin a scene, ascending, without the first."""

    pts: list[int]


class DecodeEnded(Message, frozen=True):
    bad_packets: int


class DecoderFailed(Message, frozen=True):
    failure: Failure


ToDecoder = IndexVideo | DecodeFrames | FindCuts
FromDecoder = (
    Sandboxed | IndexProgress | Indexed | FrameDecoded | DecodeProgress | DecodeEnded | CutsFound | DecoderFailed
)
