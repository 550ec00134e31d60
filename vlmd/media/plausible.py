"""What may be believed of a decoder's answer: it reads hostile files, and may have been taken over by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from vlmd.core.errors import Code, Failure, MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.video import MAX_PICTURES, VideoIndex
from vlmd.media.process import printable

_CODES = {
    Code.UNREADABLE,
    Code.NOT_VIDEO,
    Code.TRUNCATED,
    Code.NO_VIDEO_STREAM,
    Code.ENCRYPTED,
    Code.BAD_DIMENSIONS,
    Code.UNDECODABLE,
    Code.TOO_MANY_PICTURES,
    Code.DECODER_LIMIT,
    Code.NO_SANDBOX,
}
"""What a decoder can find out; anything else it has no business to say."""

_NAME = re.compile(r"[A-Za-z0-9_,.+-]{1,64}")
_MAX_TICK = 1 << 62


def failure_of(failure: Failure) -> MediaError:
    """A decoder's failure as an error, if it may say so."""
    if failure.code not in _CODES:
        return MediaError(Code.DECODER_CRASHED, f"the decoder gave an impossible reason: {failure.code}")
    return MediaError(failure.code, printable(failure.reason))


def check_index(index: VideoIndex, size: int, limits: DecodeLimits) -> str | None:
    """What is impossible about `index` of a file of `size` bytes; None if nothing is."""
    facts = index.facts
    possible = {
        "its names are not names": all(
            _NAME.fullmatch(name) for name in (facts.container, facts.codec, facts.pixel_format)
        ),
        "its size is not the file's": facts.size_bytes == size,
        "its pictures have no possible size": min(facts.width, facts.height) > 0
        and facts.width * facts.height <= limits.max_pixels,
        "its rotation is none": facts.rotation in {0, 90, 180, 270},
        "its clock does not go": min(index.time_base) > 0 and max(index.time_base) < 1 << 32,
        "it has too many pictures": len(index.pts) <= MAX_PICTURES,
        "its times do not ascend": bool(index.pts) and _ascends(index.pts),
        "its keyframes are no pictures": _ascends(index.keyframes) and set(index.keyframes) <= set(index.pts),
        "its pictures are miscounted": facts.frames == len(index.pts) and facts.bad_packets >= 0,
    }
    if wrong := [problem for problem, fine in possible.items() if not fine]:
        return wrong[0]
    if not index.ms(index.pts[-1]) < facts.duration_ms < _MAX_TICK or abs(facts.start_ms) > _MAX_TICK:
        return "its duration does not fit its pictures"
    return None


def check_cuts(pts: Sequence[int]) -> str | None:
    """What is impossible about the cuts of a video; None if nothing is."""
    return None if len(pts) <= MAX_PICTURES and _ascends(pts) else "its cuts do not ascend"


def _ascends(ticks: Sequence[int]) -> bool:
    return all(abs(tick) < _MAX_TICK for tick in ticks) and all(a < b for a, b in pairwise(ticks))
