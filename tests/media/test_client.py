"""The client's side: decoders that die, hang, run out or lie, and nothing left behind."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.media import hostile
from tests.media.films import LIMITS, every_frame, film, index_of, pictures_of, ref, scaled
from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.video import VideoIndex
from vlmd.media import process
from vlmd.media.client import Decoder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "film.mp4", count=100)


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes some seconds to decode."""
    path = tmp_path_factory.mktemp("films") / "long.avi"
    return film(path, codec="mjpeg", pixel_format="yuvj420p", count=300, size=(320, 240))


@pytest.fixture(autouse=True)
def nothing_left_behind(video: Path, long_video: Path) -> Iterator[None]:
    """Every test here ends with the descriptors and the children it began with."""
    gc.collect()  # what other tests left is not these tests'
    before = os.listdir("/proc/self/fd"), children()
    yield
    gc.collect()  # a raised error holds the frames it passed through, and so the memory of pictures
    assert (os.listdir("/proc/self/fd"), children()) == before


def children() -> set[str]:
    """Process ids of this process's children, zombies too."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def code_of(error: pytest.ExceptionInfo[MediaError]) -> Code:
    return error.value.failure.code


# --- what it is for ----------------------------------------------------------------------------------------


def test_pictures_come_as_they_are_decoded_and_outlive_the_decoder(video: Path) -> None:
    index = index_of(video)
    wanted = index.pts[10:90:7]
    signs: list[int] = []
    with Decoder.start(ref(video), LIMITS) as decoder:
        stream = decoder.frames(wanted, None, 32, 24, 0, on_progress=lambda: signs.append(1))
        got = {pts: stream.picture(slot) for slot, pts in stream}
        assert decoder.missing_sandbox == []
    assert list(got) == wanted
    assert len(signs) >= len(wanted)
    assert stream.bad_packets == 0
    frames = {frame.pts: frame for frame in every_frame(video)}
    for pts, picture in got.items():
        assert np.array_equal(picture, scaled(frames[pts], (32, 24), 0))
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0, 0] = 1


def test_times_at_which_no_picture_is_shown_are_skipped(video: Path) -> None:
    index = index_of(video)
    asked = [index.pts[0] - 5, index.pts[3], index.pts[3] + 1, index.pts[9], index.pts[-1] + 100]
    assert list(pictures_of(video, asked, None, (32, 24))) == [index.pts[3], index.pts[9]]


def test_a_decoder_that_is_asked_nothing_ends(video: Path) -> None:
    with Decoder.start(ref(video), LIMITS) as decoder:
        pass
    until_gone(decoder.pid)
    decoder.close()
    decoder.kill()


def test_a_decoder_takes_one_request(video: Path) -> None:
    with Decoder.start(ref(video), LIMITS) as decoder:
        decoder.index()
        with pytest.raises(RuntimeError):
            decoder.index()


def test_many_threads_decode_at_once(video: Path) -> None:
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(index_of(video).pts))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [100] * 6


def test_secrets_of_the_environment_stay_here(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Decoder.start(ref(video), LIMITS) as decoder:
        decoder.index()
        assert b"hf_secret" not in Path(f"/proc/{decoder.pid}/environ").read_bytes()


# --- death, silence, limits --------------------------------------------------------------------------------


def test_a_killed_decoder_is_named(long_video: Path) -> None:
    with Decoder.start(ref(long_video), LIMITS) as decoder:
        index = index_of(long_video)
        stream = iter(decoder.frames(index.pts, None, 1200, 900, 0))
        next(stream)
        os.kill(decoder.pid, signal.SIGKILL)
        with pytest.raises(MediaError, match="SIGKILL") as raised:
            list(stream)
        assert code_of(raised) == Code.DECODER_CRASHED


def test_kill_from_another_thread_ends_the_waiting(long_video: Path) -> None:
    index = index_of(long_video)
    with Decoder.start(ref(long_video), LIMITS) as decoder:
        stream = decoder.frames(index.pts, None, 1200, 900, 0)
        threading.Timer(0.1, decoder.kill).start()
        with pytest.raises(MediaError) as raised:
            list(stream)
        assert code_of(raised) == Code.DECODER_CRASHED
    decoder.kill()
    time.sleep(0.05)


@pytest.mark.timeout(60)
def test_a_stopped_decoder_is_killed_in_time(long_video: Path) -> None:
    with Decoder.start(ref(long_video), replace(LIMITS, stall_seconds=1.5)) as decoder:
        stream = iter(decoder.frames(list(range(290)), None, 1200, 900, 0))
        os.kill(decoder.pid, signal.SIGSTOP)
        with pytest.raises(MediaError, match="no sign of life") as raised:
            list(stream)
        assert code_of(raised) == Code.DECODER_LIMIT


def test_too_much_processor_time_is_a_limit(taken_over) -> None:
    with taken_over("spin") as decoder, pytest.raises(MediaError, match="processor time") as raised:
        decoder.index()
    assert code_of(raised) == Code.DECODER_LIMIT


def test_too_much_memory_is_a_limit(video: Path) -> None:
    with pytest.raises(MediaError, match="memory") as raised, Decoder.start(ref(video), LIMITS) as decoder:
        list(decoder.frames(list(range(2000)), None, 2000, 2000, 0))
    assert code_of(raised) == Code.DECODER_LIMIT


def test_a_large_picture_may_not_take_more_memory_than_allowed(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mov", codec="png", pixel_format="rgb24", count=1, size=(3000, 3000))
    limits = replace(LIMITS, memory_bytes=230 << 20)
    with pytest.raises(MediaError) as raised:
        index_of(path, limits)
    assert code_of(raised) == Code.DECODER_LIMIT
    assert index_of(path).facts.frames == 1


def test_a_file_written_to_meanwhile_is_changed(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    with Decoder.start(ref(path), LIMITS) as decoder:
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(MediaError) as raised:
            decoder.index()
        assert code_of(raised) == Code.FILE_CHANGED


START_AND_WAIT = """
import sys, time
from pathlib import Path
from tests.media.films import LIMITS, ref
from vlmd.media.client import Decoder
print(Decoder.start(ref(Path(sys.argv[1])), LIMITS).pid, flush=True)
time.sleep(60)
"""


def test_a_decoder_dies_with_its_client(video: Path) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(video)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        pid = int(client.stdout.readline())
        time.sleep(0.3)
        client.kill()
    until_gone(pid)


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- lies --------------------------------------------------------------------------------------------------


@pytest.fixture
def taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Starts a decoder that says what it is told to."""
    path = tmp_path / "film.avi"
    path.write_bytes(b"content")

    def start(says: str, limits: DecodeLimits = LIMITS) -> Decoder:
        def spawn(link_fd: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.media.hostile", says, str(link_fd)]
            return subprocess.Popen(command, cwd=ROOT, pass_fds=[link_fd], stderr=subprocess.PIPE, bufsize=0)

        monkeypatch.setattr(process, "_spawn", spawn)
        return Decoder.start(ref(path), limits)

    return start


def test_a_plausible_index_is_believed(taken_over) -> None:
    with taken_over("nothing wrong") as decoder:
        assert decoder.index() == with_fingerprint(hashlib.sha256(b"content").hexdigest())


def test_what_a_decoder_says_of_the_fingerprint_does_not_count(taken_over) -> None:
    """It would be given the answers to another video."""
    with taken_over("another video") as decoder:
        assert decoder.index() == with_fingerprint(hashlib.sha256(b"content").hexdigest())


def with_fingerprint(fingerprint: str) -> VideoIndex:
    return replace(hostile.INDEX, facts=replace(hostile.FACTS, fingerprint=fingerprint))


@pytest.mark.parametrize(
    "says", ["no sandbox", "index first", "wrong kind", "wrong direction", "unsorted", "no pictures"]
)
def test_a_lie_about_the_index_is_a_crash(says: str, taken_over) -> None:
    refuses_index(taken_over(says))


@pytest.mark.parametrize(
    "says", ["stopped clock", "no such keyframe", "huge", "crooked", "too many", "escape", "short", "impossible reason"]
)
def test_an_impossible_index_is_a_crash(says: str, taken_over) -> None:
    refuses_index(taken_over(says))


@pytest.mark.parametrize("says", ["garbage", "endless", "long", "hang up"])
def test_what_is_no_message_is_a_crash(says: str, taken_over) -> None:
    refuses_index(taken_over(says))


def refuses_index(decoder: Decoder) -> None:
    with decoder, pytest.raises(MediaError) as raised:
        decoder.index()
    assert code_of(raised) == Code.DECODER_CRASHED


@pytest.mark.timeout(60)
def test_a_message_that_trickles_in_does_not_prolong_the_wait(taken_over) -> None:
    with (
        taken_over("byte after byte", replace(LIMITS, stall_seconds=2)) as decoder,
        pytest.raises(MediaError) as raised,
    ):
        decoder.index()
    assert code_of(raised) == Code.DECODER_LIMIT


@pytest.mark.parametrize("asked", ["index", "frames"])
def test_a_decoder_that_is_always_busy_and_never_done_is_ended(asked: str, taken_over) -> None:
    """It uses no processor time, and is never silent."""
    limits = replace(LIMITS, wall_seconds=1.5)
    with taken_over("busy", limits) as decoder, pytest.raises(MediaError, match=r"not done after 1\.5") as raised:
        decoder.index() if asked == "index" else list(decoder.frames([0], None, 64, 48, 0))
    assert code_of(raised) == Code.DECODER_LIMIT


def test_time_in_which_nobody_waits_for_it_does_not_count(video: Path) -> None:
    """The model may take hours over the pictures of one lease."""
    pts = index_of(video).pts
    with Decoder.start(ref(video), replace(LIMITS, wall_seconds=5.0)) as decoder:
        stream = iter(decoder.frames(pts[:3], None, 32, 24, 0))
        next(stream)
        time.sleep(5.0)
        assert len(list(stream)) == 2


def test_last_words_are_kept_and_cannot_steer_a_terminal(taken_over) -> None:
    with taken_over("exit") as decoder, pytest.raises(MediaError) as raised:
        decoder.index()
    assert raised.value.failure.reason == "the decoder ended with exit status 1: a ?[31mred?[0m word"


@pytest.mark.parametrize(
    "says", ["slot out of range", "negative slot", "other picture", "descending", "twice", "no sandbox"]
)
def test_a_lie_about_a_picture_is_a_crash(says: str, taken_over) -> None:
    with taken_over(says) as decoder, pytest.raises(MediaError) as raised:
        list(decoder.frames([0, 1000, 2000], None, 64, 48, 0))
    assert code_of(raised) == Code.DECODER_CRASHED


def test_the_memory_of_pictures_cannot_be_taken_away(taken_over) -> None:
    with taken_over("frames") as decoder:
        stream = decoder.frames([0, 1000, 2000], None, 64, 48, 0)
        assert list(stream) == [(0, 0), (2, 2000)]
        assert stream.bad_packets == 1
        assert not stream.picture(1).any()
        decoder.kill()
        assert "sealed" in str(decoder._process.death())
