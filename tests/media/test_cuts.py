"""Where scenes begin: the same cuts as PySceneDetect finds in the file itself, by our own decoder, in the sandbox."""

from __future__ import annotations

import json
import os
from pathlib import Path

import av
import numpy as np
import pytest
from scenedetect import ContentDetector, detect

from tests.media.films import LIMITS, index_of, ref
from vlmd.core.errors import Code, MediaError
from vlmd.core.recipe import fit_edge
from vlmd.media.client import Decoder

VIDEOS = os.environ.get("VLMD_TEST_VIDEOS")
SIZE = (320, 192)
SCENES = [40, 75, 30, 100]
"""Pictures of each scene, at 25 a second."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of other colours, each with something that moves in it."""
    path = tmp_path_factory.mktemp("cuts") / "scenes.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number, count in enumerate(SCENES):
            picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            picture[:] = [(200, 40, 40), (40, 180, 60), (30, 40, 160), (230, 230, 210)][number]
            for step in range(count):
                shown = picture.copy()
                shown[40:80, 2 * step : 2 * step + 40] = 255 - shown[40:80, 2 * step : 2 * step + 40]
                output.mux(stream.encode(av.VideoFrame.from_ndarray(shown)))
        output.mux(stream.encode())
    return path


def cuts_of(path: Path, threshold: float = 27.0) -> list[int]:
    """Milliseconds."""
    index = index_of(path)
    with Decoder.start(ref(path), LIMITS) as decoder:
        cuts = decoder.cuts(index, threshold, *fit_edge(index.facts.width, index.facts.height, 256))
        assert decoder.missing_sandbox == []
    return [index.ms(pts) for pts in cuts]


def test_every_scene_begins_at_its_cut(film: Path) -> None:
    assert cuts_of(film) == [1600, 4600, 5800]


def test_a_high_threshold_sees_none(film: Path) -> None:
    assert cuts_of(film, 250.0) == []


def test_the_same_cuts_as_the_detectors_own_program(film: Path) -> None:
    theirs = [start for start, _ in detect(str(film), ContentDetector(27.0, min_scene_len=1))][1:]
    assert cuts_of(film) == [round(1000 * start.seconds) for start in theirs]


@pytest.mark.skipif(VIDEOS is None, reason="VLMD_TEST_VIDEOS is not set")
@pytest.mark.parametrize("name", ["nasa_13013.mp4", "armwrestling_mmaction.mp4", "sintel_30s.mp4"])
def test_the_same_cuts_in_real_clips(name: str) -> None:
    """But for one: pictures are made smaller by another program, and a score may lie at the very threshold."""
    clip = Path(str(VIDEOS)) / "clips" / name
    theirs = [1000 * start.seconds for start, _ in detect(str(clip), ContentDetector(27.0, min_scene_len=1))][1:]
    ours = cuts_of(clip)
    assert sum(not any(abs(one - other) <= 2 for one in ours) for other in theirs) <= 1
    assert sum(not any(abs(one - other) <= 2 for other in theirs) for one in ours) <= 1
    assert len(ours) >= 2


def test_what_is_no_video_is_refused(tmp_path: Path, film: Path) -> None:
    index = index_of(film)
    fake = tmp_path / "fake.mp4"
    fake.write_bytes(b"\0" * 4096)
    with pytest.raises(MediaError) as caught, Decoder.start(ref(fake), LIMITS) as decoder:
        decoder.cuts(index, 27.0, 256, 144)
    assert caught.value.failure.code in (Code.NOT_VIDEO, Code.UNDECODABLE)


def test_broken_videos_have_their_cuts_and_end_no_decoder(videos: Path) -> None:
    lines = [json.loads(line) for line in (videos / "MANIFEST.jsonl").read_text().splitlines()]
    shown = [line["file"] for line in lines if line.get("outcome") in ("partial_or_corrupt_frames", "decodes_clean")]
    broken = [videos / file for file in shown[::2]]
    looked = 0
    for path in filter(Path.exists, broken):
        try:
            index = index_of(path)
        except MediaError:
            continue  # tests/process/test_everything_at_once.py
        told: list[int] = []
        size = fit_edge(index.facts.width, index.facts.height, 256)
        with Decoder.start(ref(path), LIMITS) as decoder:
            cuts = decoder.cuts(index, 27.0, *size, told.append)
        assert set(cuts) <= set(index.pts[1:]) and cuts == sorted(cuts) and told == sorted(told)
        looked += 1
    assert looked >= 10
