"""Indexing: odd sizes, odd times, damage; and that what cannot be looked at says why."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.media.films import LIMITS, every_frame, film, index_of, pictures_of, scaled
from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.media.decoder import every
from vlmd.media.fingerprint import Fingerprint, ReadingHead
from vlmd.media.presentation import Clock


def reason_for(path: Path, limits: DecodeLimits = LIMITS) -> Code:
    with pytest.raises(MediaError) as raised:
        index_of(path, limits)
    return raised.value.failure.code


def agrees_with_full_decode(path: Path, pts: list[int], rotation: int = 0) -> bool:
    pictures = pictures_of(path, pts, None, (40, 30), rotation)
    frames = zip(pts, every_frame(path), strict=True)
    return all(np.array_equal(pictures[time], scaled(frame, (40, 30), rotation)) for time, frame in frames)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "size"),
    [
        ("mp4", "libx264", "yuv420p", (64, 48)),
        ("mkv", "libx264", "yuv420p10le", (64, 48)),
        ("mkv", "libx264", "yuv444p", (64, 48)),
        ("mkv", "ffv1", "yuv420p", (33, 17)),
        ("webm", "libvpx-vp9", "yuv420p", (321, 241)),
        ("avi", "mjpeg", "yuvj420p", (16, 8)),
        ("mkv", "ffv1", "gray", (2, 2)),
        ("mov", "png", "rgba", (50, 20)),
        ("mkv", "ffv1", "gray", (1, 1)),
        ("mkv", "ffv1", "yuv422p", (16384, 2)),
        ("mkv", "ffv1", "yuv420p12le", (64, 48)),
        ("mkv", "ffv1", "yuv444p12le", (65, 49)),
        ("mkv", "ffv1", "yuva444p10le", (64, 48)),
    ],
)
def test_any_size_and_pixel_format(
    suffix: str, codec: str, pixel_format: str, size: tuple[int, int], tmp_path: Path
) -> None:
    path = film(tmp_path / f"film.{suffix}", codec=codec, pixel_format=pixel_format, size=size, count=12)
    index = index_of(path)
    assert (index.facts.width, index.facts.height, index.facts.pixel_format) == (*size, pixel_format)
    assert index.facts.frames == 12
    assert index.facts.duration_ms == 480
    assert index.facts.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert agrees_with_full_decode(path, index.pts)
    assert (index.keyframes == []) == (pixel_format == "yuv444p")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_stand_upright(rotation: int, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        stream.set_display_rotation(rotation)
        coded = np.zeros((48, 64, 3), np.uint8)
        coded[:24, :32] = 255  # white in the upper left corner
        output.mux([*stream.encode(av.VideoFrame.from_ndarray(coded)), *stream.encode()])
    index = index_of(path)
    shown = (48, 64) if rotation % 180 else (64, 48)
    assert (index.facts.rotation, index.facts.width, index.facts.height) == (rotation, *shown)
    picture = pictures_of(path, index.pts, None, shown, rotation)[index.pts[0]]
    expected = np.rot90(coded, rotation // 90)
    assert np.abs(picture.astype(int) - expected).mean() < 10


def test_times_may_be_uneven_and_start_late(tmp_path: Path) -> None:
    times = [5000, 5040, 5041, 9000, 9033, 3_600_000]
    index = index_of(film(tmp_path / "film.mkv", count=6, times=times))
    assert index.pts == times
    assert (index.facts.start_ms, index.ms(index.pts[-1])) == (5000, 3_595_000)
    assert index.facts.duration_ms > 3_595_000


def test_a_film_of_one_picture(tmp_path: Path) -> None:
    index = index_of(film(tmp_path / "film.mp4", count=1))
    assert (len(index.pts), index.facts.duration_ms) == (1, 40)


def test_too_large_pictures_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    limits = replace(LIMITS, max_pixels=64 * 48 - 1)
    for suffix, codec in (("mp4", "mpeg4"), ("mkv", "libx264"), ("avi", "mjpeg"), ("ts", "mpeg2video")):
        path = film(
            tmp_path / f"film.{suffix}", codec=codec, pixel_format="yuvj420p" if codec == "mjpeg" else "yuv420p"
        )
        assert reason_for(path, limits) == Code.BAD_DIMENSIONS


def test_sound_alone_and_a_cover_picture_are_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        output.mux([*stream.encode(sound), *stream.encode()])
    assert reason_for(path) == Code.NO_VIDEO_STREAM


def test_a_codec_off_the_list_is_refused(tmp_path: Path) -> None:
    assert reason_for(film(tmp_path / "film.avi", codec="magicyuv", pixel_format="gbrp")) == Code.UNDECODABLE


def test_an_mp4_that_ends_before_its_index_is_truncated(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    path.write_bytes(path.read_bytes()[:-100])
    assert reason_for(path) == Code.TRUNCATED


@pytest.mark.parametrize(
    ("suffix", "codec", "options"), [("mkv", "libx264", {}), ("avi", "mpeg4", {}), ("flv", "flv", {})]
)
def test_a_file_that_was_cut_off_says_so_and_promises_only_what_is_there(
    suffix: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = film(tmp_path / f"film.{suffix}", codec=codec, count=100, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    index = index_of(path)
    assert index.facts.truncated
    assert index.facts.frames < 100
    assert agrees_with_full_decode(path, index.pts)


def test_a_hole_in_the_middle_costs_its_pictures_only(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", codec="libx264", count=100, options={"g": "10"}, size=(160, 120))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    index = index_of(path)
    assert 60 < index.facts.frames <= 100
    pictures = pictures_of(path, index.pts, None, (40, 30))
    assert len(pictures) > 60


def test_recordings_glued_together_go_on_after_each_other(tmp_path: Path) -> None:
    path = film(tmp_path / "film.ts", codec="mpeg2video", count=100)
    path.write_bytes(path.read_bytes() * 2)
    index = index_of(path)
    assert index.facts.frames == sum(1 for _ in every_frame(path)) >= 190
    assert 7_500 < index.facts.duration_ms < 8_500
    assert index.keyframes == []
    assert agrees_with_full_decode(path, index.pts)


def test_pictures_that_an_edit_list_hides_are_not_promised(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", codec="libx264", options={"bf": "0", "g": "100"}, rate=25)
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 16  # version and flags, count, duration; then media_time (ISO/IEC 14496-12, 8.6.6)
    ticks = int.from_bytes(content[content.index(b"mdhd") + 16 :][:4])
    content[at : at + 4] = (ticks // 5).to_bytes(4)
    path.write_bytes(content)
    index = index_of(path)
    assert index.pts == [frame.pts for frame in every_frame(path)]
    assert index.facts.frames == 45


def test_a_recording_that_begins_within_a_group_of_pictures(tmp_path: Path) -> None:
    path = film(
        tmp_path / "film.ts", codec="libx264", count=100, options={"x264-params": "keyint=20:open-gop=1:bframes=3"}
    )
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 3 // 188 * 188 :])
    index = index_of(path)
    assert index.pts == [frame.pts for frame in every_frame(path)]
    assert index.keyframes


def test_the_size_may_change_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    small = film(tmp_path / "a.ts", codec="mpeg2video", count=30, size=(64, 48)).read_bytes()
    path.write_bytes(small + film(tmp_path / "b.ts", codec="mpeg2video", count=30, size=(128, 96)).read_bytes())
    index = index_of(path)
    assert {frame.width for frame in every_frame(path)} == {64, 128}
    assert agrees_with_full_decode(path, index.pts)


# --- the clock ---------------------------------------------------------------------------------------------

TIME = st.one_of(st.none(), st.integers(-(1 << 40), 1 << 40), st.integers(0, 300))


@given(st.lists(st.tuples(TIME, TIME), max_size=40), st.sampled_from([Fraction(1, 25), Fraction(1, 90_000)]))
def test_the_clock_always_ascends(stated: list[tuple[int | None, int | None]], tick: Fraction) -> None:
    clock = Clock(tick, 1)
    shown = [clock.show(pts, dts) for pts, dts in stated]
    assert all(a < b for a, b in pairwise(shown))


@given(st.lists(st.integers(-(1 << 40), 1 << 40), unique=True))
def test_the_clock_leaves_ascending_times_alone(times: list[int]) -> None:
    clock = Clock(Fraction(1, 1000), 40)
    assert [clock.show(time, None) for time in sorted(times)] == sorted(times)


def test_the_clock_continues_after_a_restart() -> None:
    clock = Clock(Fraction(1, 1000), 40)
    assert [clock.show(time, None) for time in (0, 40, 5000, 0, 40, 30, 80)] == [0, 40, 5000, 5040, 5080, 5081, 5120]


# --- the fingerprint ---------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 250), max_size=20))
def test_the_fingerprint_is_of_the_whole_file_however_it_was_followed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, positions: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fingerprinted"
    path.write_bytes(content)
    with path.open("rb") as file:
        fingerprint = Fingerprint(file.fileno())
        for position in [*positions, len(content)]:
            fingerprint.follow(position, lambda: True)
        assert fingerprint.digest() == hashlib.sha256(content).hexdigest()
        assert fingerprint.done == len(content)


def test_a_look_at_the_end_of_the_file_is_no_progress() -> None:
    head = ReadingHead()
    for position, size in ((0, 100), (1 << 40, 100), (100, 50), (0, 10)):
        head.saw(position, size)
    assert head.at == 150


# --- progress ----------------------------------------------------------------------------------------------


def test_progress_is_told_but_not_at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.1, 0.4, 0.6, 0.7, 1.1])
    monkeypatch.setattr("vlmd.media.decoder.time.monotonic", lambda: next(clock))
    told: list[int] = []
    beat = every(0.5, told.append)
    for value in range(5):
        beat(value)
    assert told == [2, 4]
