"""Files that promise or hold far too much, and files that are odd in ways few are: each has an index or a reason.

The rest of the catalogue of bad inputs is in test_index (sizes, times, damage), test_malformed (no video at all),
test_opening (no regular file), test_client (decoders that run out, hang or lie) and tests/inbox (names, growth).
"""

from __future__ import annotations

import io
import random
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.media.films import LIMITS, film, index_of, numbered, pictures_of
from vlmd.core.errors import Code, MediaError
from vlmd.core.video import VideoIndex
from vlmd.media import indexing


def outcome(path: Path) -> VideoIndex | Code:
    try:
        return index_of(path)
    except MediaError as error:
        assert error.failure.reason.isprintable()
        return error.failure.code


def box(content: bytes, kind: bytes) -> tuple[int, int]:
    """Where the first box of a kind begins and ends."""
    begin = content.index(kind) - 4
    return begin, begin + int.from_bytes(content[begin : begin + 4])


def put(path: Path, kind: bytes, offset: int, value: int) -> Path:
    """Write 32 bits `offset` bytes behind the name of the first box of a kind."""
    content = bytearray(path.read_bytes())
    at = content.index(kind) + 4 + offset
    content[at : at + 4] = value.to_bytes(4)
    path.write_bytes(content)
    return path


def with_more_in_moov(path: Path, more: bytes) -> Path:
    """`moov` lies at the end, so nothing else has to be moved."""
    content = path.read_bytes()
    begin, end = box(content, b"moov")
    assert end == len(content)
    grown = (end - begin + len(more)).to_bytes(4) + content[begin + 4 : end] + more
    path.write_bytes(content[:begin] + grown)
    return path


def element(kind: int, content: bytes) -> bytes:
    """An element of Matroska, its length in eight bytes."""
    size = (len(content) | 1 << 56).to_bytes(8)
    return kind.to_bytes((kind.bit_length() + 7) // 8) + size + content


# --- too much ----------------------------------------------------------------------------------------------


def test_ten_thousand_streams(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", count=5)
    begin, end = box(path.read_bytes(), b"trak")
    assert outcome(with_more_in_moov(path, path.read_bytes()[begin:end] * 10_000)) == Code.DECODER_LIMIT


def test_a_hundred_thousand_chapters(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", count=5)
    atoms = [element(0xB6, element(0x73C4, n.to_bytes(4)) + element(0x91, n.to_bytes(4))) for n in range(1, 100_001)]
    header, name, content = path.read_bytes().partition(b"\x18\x53\x80\x67")
    chapters = element(0x1043A770, element(0x45B9, b"".join(atoms)))
    path.write_bytes(header + name + b"\x01" + b"\xff" * 7 + chapters + content[8:])
    index = outcome(path)
    assert isinstance(index, VideoIndex) and index.facts.frames == 5


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_fifty_megabytes_of_words_about_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"film.{suffix}"
    with av.open(str(path), "w") as output:
        output.metadata["comment"] = "x" * (50 << 20)
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        output.mux([*stream.encode(av.VideoFrame.from_ndarray(numbered(0, (64, 48)))), *stream.encode()])
    assert path.stat().st_size > 50 << 20
    index = outcome(path)
    assert isinstance(index, VideoIndex) and index.facts.frames == 1


@pytest.mark.parametrize(
    ("kind", "offset"), [(b"stsz", 8), (b"stts", 4), (b"stts", 8), (b"stsc", 4), (b"stco", 4), (b"ctts", 4)]
)
def test_tables_that_claim_two_thousand_million_entries(kind: bytes, offset: int, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", codec="libx264", options={"bf": "2"}, count=60)
    found = outcome(put(path, kind, offset, 1 << 31))
    if isinstance(found, VideoIndex):
        assert found.facts.frames <= 60
    else:
        assert found in {Code.NOT_VIDEO, Code.UNDECODABLE, Code.TRUNCATED, Code.DECODER_LIMIT}


def test_a_header_that_claims_years_is_not_believed(tmp_path: Path) -> None:
    index = outcome(put(film(tmp_path / "film.mp4", count=60), b"mdhd", 16, 0xFFFFFFFE))
    assert isinstance(index, VideoIndex)
    assert (index.facts.frames, index.facts.duration_ms) == (60, 2400)


def test_a_few_pictures_spread_over_days(tmp_path: Path) -> None:
    times = [0, 64_800_000, 129_600_000, 194_400_000, 259_200_000]
    index = outcome(film(tmp_path / "film.mkv", count=5, times=times))
    assert isinstance(index, VideoIndex) and index.pts == times


def test_more_pictures_than_an_index_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "MAX_PICTURES", 20)
    for path in (film(tmp_path / "a.mkv", count=30), film(tmp_path / "b.avi", count=30, options={"bf": "2"})):
        with path.open("rb") as file, pytest.raises(MediaError) as raised:
            indexing.index_video(file.fileno(), LIMITS, lambda count: None)
        assert raised.value.failure.code == Code.TOO_MANY_PICTURES


# --- odd ---------------------------------------------------------------------------------------------------


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=8000, layout="mono")
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        noise.sample_rate = 8000
        picture = av.VideoFrame.from_ndarray(numbered(0, (64, 48)), "rgb24").reformat(format="yuvj420p")
        output.mux([*cover.encode(picture), *cover.encode(), *sound.encode(noise), *sound.encode()])
    assert outcome(path) == Code.NO_VIDEO_STREAM


def test_an_encrypted_mp4(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", codec="libx264", count=5)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"encv").replace(b"isomencv", b"isomavc1"))
    assert outcome(path) == Code.ENCRYPTED


@pytest.mark.parametrize(("track_type", "expected"), [(1, Code.ENCRYPTED), (2, Code.NOT_VIDEO)])
@pytest.mark.parametrize("endless", [False, True])
def test_an_encrypted_matroska(track_type: int, expected: Code, endless: bool, tmp_path: Path) -> None:
    """Encrypted sound concerns nobody here."""
    header = element(0x1A45DFA3, element(0x4282, b"matroska"))
    encryption = element(0x6D80, element(0x6240, element(0x5035, element(0x47E1, b"\5"))))
    numbers = element(0xD7, b"\1") + element(0x73C5, b"\1") + element(0x83, bytes([track_type]))
    tracks = element(0x1654AE6B, element(0xAE, numbers + element(0x86, b"V_VP8") + encryption))
    segment = b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + tracks if endless else element(0x18538067, tracks)
    path = tmp_path / "film.mkv"
    path.write_bytes(header + segment)
    assert outcome(path) == expected


def test_interlaced_pictures_are_shown_as_they_are_stored(tmp_path: Path) -> None:
    path = film(tmp_path / "film.ts", codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1"}, count=20)
    index = outcome(path)
    assert isinstance(index, VideoIndex)
    assert len(pictures_of(path, index.pts, None, (64, 48))) == index.facts.frames == 20


def test_thousands_of_pictures_a_second(tmp_path: Path) -> None:
    index = outcome(film(tmp_path / "film.mp4", count=60, rate=12_000))
    assert isinstance(index, VideoIndex)
    assert (index.facts.frames, index.facts.duration_ms) == (60, 5)


def test_a_stream_of_nothing_but_h264_has_no_times_and_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.h264"
    with av.open(io.BytesIO(), "w", format="mpegts") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        packets = [*stream.encode(av.VideoFrame.from_ndarray(numbered(0, (64, 48)))), *stream.encode()]
        path.write_bytes(b"".join(map(bytes, packets)) * 5)
    assert path.read_bytes().startswith(b"\0\0\0\1")
    assert outcome(path) == Code.NOT_VIDEO


@pytest.mark.parametrize("rate", [(0, 0), (0, 25), (1, 0), (0xFFFFFFFF, 1)])
def test_an_avi_without_a_rate_still_gives_every_picture_a_time(rate: tuple[int, int], tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi", codec="mjpeg", pixel_format="yuvj420p", count=10)
    content = bytearray(path.read_bytes())
    at = content.index(b"strh") + 28  # dwScale, dwRate of AVISTREAMHEADER
    content[at : at + 8] = b"".join(number.to_bytes(4, "little") for number in rate)
    path.write_bytes(content)
    index = outcome(path)
    assert isinstance(index, VideoIndex) or index == Code.UNDECODABLE
    if isinstance(index, VideoIndex):
        assert index.facts.frames == 10 and len(set(index.pts)) == 10


def test_a_clock_that_stands_still(tmp_path: Path) -> None:
    found = outcome(put(film(tmp_path / "film.mp4", count=10), b"mdhd", 12, 0))
    assert isinstance(found, VideoIndex) or found in {Code.NOT_VIDEO, Code.UNDECODABLE}


@pytest.mark.parametrize(("share", "bad"), [(0.4, False), (0.8, True)])
def test_most_of_it_damaged_is_a_reason(share: float, bad: bool, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", codec="libx264", count=60, options={"g": "5", "bf": "0"}, size=(160, 120))
    content = bytearray(path.read_bytes())
    _, end = box(content, b"mdat")
    begin = end - int(end * share)
    content[begin:end] = random.Random(1).randbytes(end - begin)
    path.write_bytes(content)
    found = outcome(path)
    if bad:
        assert found == Code.UNDECODABLE
    else:
        assert isinstance(found, VideoIndex)
        assert found.facts.frames < 60 and found.facts.bad_packets > 0
