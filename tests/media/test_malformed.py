"""Broken and hostile files end in an index or in a reason, soon, and never in a crash or a hang."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.media.films import index_of
from vlmd.core.errors import Code, MediaError
from vlmd.core.messages import DecodeLimits

FOLDER = os.environ.get("VLMD_TEST_VIDEOS")
FILES = sorted(path.name for path in (Path(FOLDER) / "malformed").iterdir()) if FOLDER else []
REASONS = {Code.NOT_VIDEO, Code.TRUNCATED, Code.NO_VIDEO_STREAM, Code.ENCRYPTED, Code.BAD_DIMENSIONS, Code.UNDECODABLE}
LIMITS = DecodeLimits(cpu_seconds=10, stall_seconds=20, memory_bytes=2 << 30)
PER_TEST = 12

HUNGRY = {
    "drewnoakes__fuzzing_crash-6b85510afb1e2583c0b9bfe541e9c1590564a559.fuzzed.mp4",
    "ntu-sec__bento4_9da0ce5_mp4compact_hangs_h03.mp4",
}
"""Files whose headers ask for gigabytes: the limit is the right answer."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("first", range(0, len(FILES), PER_TEST))
def test_every_malformed_file_has_an_index_or_a_reason(first: int, videos: Path) -> None:
    for name in FILES[first : first + PER_TEST]:
        try:
            assert index_of(videos / "malformed" / name, LIMITS).pts, name
        except MediaError as error:
            allowed = REASONS | {Code.DECODER_LIMIT} if name in HUNGRY else REASONS
            assert error.failure.code in allowed, f"{name}: {error}"


def reason_for(path: Path) -> Code:
    with pytest.raises(MediaError) as raised:
        index_of(path, LIMITS)
    return raised.value.failure.code


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/hostname\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.mp4\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9999 RTP/AVP 96\n",
        "<!DOCTYPE html><html><body>log in</body></html>" * 40,
        "plain text\n" * 400,
    ],
    ids=["hls", "concat", "sdp", "html", "text"],
)
def test_what_is_no_video_is_not_opened_as_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(text)
    assert reason_for(path) == Code.NOT_VIDEO


def test_zeros_are_no_video(tmp_path: Path) -> None:
    path = tmp_path / "zeros.mp4"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    assert reason_for(path) == Code.NOT_VIDEO


@pytest.mark.parametrize("claim", [1 << 31, (1 << 63) - 1, (1 << 64) - 1])
def test_a_box_that_claims_more_than_there_can_be(claim: int, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    ftyp = (16).to_bytes(4) + b"ftypisom" + bytes(4)
    path.write_bytes(ftyp + (1).to_bytes(4) + b"free" + claim.to_bytes(8) + bytes(100))
    assert reason_for(path) in {Code.NOT_VIDEO, Code.TRUNCATED}
