"""What is no video at all says so. Broken videos by the dozen: tests/process/test_everything_at_once.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.films import index_of
from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits

LIMITS = DecodeLimits(cpu_seconds=10, stall_seconds=20, memory_bytes=2 << 30)


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
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
        "plain text\n" * 400,
    ],
    ids=["hls", "concat", "sdp", "html", "dash", "text"],
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
