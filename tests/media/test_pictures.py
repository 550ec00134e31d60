"""The picture for a time depends on (video, time) alone, however the windows are cut into leases."""

from __future__ import annotations

import json
import os
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import every_frame, film, index_of, pictures_of, scaled
from vlmd.core.recipe import fit_edge
from vlmd.core.video import VideoIndex
from vlmd.core.windows import SlidingPlan, Window, plan_windows

FOLDER = os.environ.get("VLMD_TEST_VIDEOS")
CLIPS = sorted(path.name for path in (Path(FOLDER) / "clips").iterdir()) if FOLDER else []
EDGE = 160


def random_plan(rng: random.Random, duration_ms: int) -> SlidingPlan:
    length = rng.choice([1000, 3000, 7000])
    return SlidingPlan(
        length_ms=length,
        step_ms=rng.choice([length, length // 2, length * 2 // 3]),
        fps=rng.choice([1.0, 2.0, 5.0]),
        from_ms=rng.choice([0, duration_ms // 3]),
    )


def cut(rng: random.Random, windows: list[Window], leases: int) -> list[list[Window]]:
    inner = rng.sample(range(1, len(windows)), min(leases, len(windows)) - 1)
    return [windows[a:b] for a, b in pairwise([0, *sorted(inner), len(windows)])]


def wanted_by(windows: list[Window]) -> list[int]:
    return sorted({pts for window in windows for pts in window.pts})


def decode_random_leases(path: Path, index: VideoIndex, rng: random.Random) -> dict[int, np.ndarray]:
    """Two random plans, each cut into random leases; their pictures by time."""
    decoded: dict[int, np.ndarray] = {}
    for _ in range(2):
        windows = plan_windows(index, random_plan(rng, index.facts.duration_ms), 10_000)
        runs = cut(rng, windows, leases=3)
        if not index.keyframes:
            runs[1:-1] = []  # every lease begins at the beginning: the last one passes by everything
        for run in runs:
            pictures = pictures_of(path, wanted_by(run), run[0].seek, size_of(index), index.facts.rotation)
            assert list(pictures) == wanted_by(run)
            for pts, picture in pictures.items():
                assert np.array_equal(picture, decoded.setdefault(pts, picture)), f"picture {pts} of two leases"
    return decoded


def size_of(index: VideoIndex) -> tuple[int, int]:
    return fit_edge(index.facts.width, index.facts.height, EDGE)


def check_against_full_decode(path: Path, index: VideoIndex, seed: str) -> list[int | None]:
    """Compares pictures of random leases with those of a full decode; the times the latter states."""
    decoded = decode_random_leases(path, index, random.Random(seed))
    stated, times = [], iter(index.pts)
    for frame in every_frame(path):
        stated.append(frame.pts)
        if (picture := decoded.pop(next(times), None)) is not None:
            expected = scaled(frame, size_of(index), index.facts.rotation)
            assert np.array_equal(picture, expected), f"picture {frame.pts} differs from a full decode"
    assert not decoded
    assert len(stated) == len(index.pts)
    return stated


@pytest.mark.parametrize("clip", CLIPS)
def test_index_and_pictures_of_a_clip_are_those_of_a_full_decode(clip: str, videos: Path) -> None:
    path = videos / "clips" / clip
    facts = next(line for line in _manifest(videos) if line["file"] == f"clips/{clip}")
    index = index_of(path)
    assert check_against_full_decode(path, index, clip) == index.pts
    assert index.facts.frames == facts["frames_decoded"]
    assert index.facts.fingerprint == facts["sha256"]
    assert index.facts.rotation == facts["rotation"] % 360
    assert index.ms(index.pts[-1]) == pytest.approx(facts["pts_span_s"] * 1000, abs=2)
    assert not index.facts.truncated and index.facts.bad_packets == 0


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("mp4", "libx264", {"g": "12", "bf": "3"}),
        ("mkv", "libx264", {"g": "10", "bf": "2", "flags": "-cgop"}),
        ("mkv", "libx264", {"x264-params": "keyint=10:open-gop=1:bframes=3"}),
        ("ts", "libx264", {"x264-params": "keyint=10:open-gop=1:bframes=3"}),
        ("ts", "mpeg2video", {"g": "12", "bf": "2"}),
        ("avi", "mpeg4", {"g": "10", "bf": "2"}),
        ("avi", "libx264", {"g": "10", "bf": "2"}),
        ("flv", "flv", {"g": "10"}),
        ("mkv", "libx264", {"x264-params": "keyint=10:intra-refresh=1:bframes=0"}),
        ("webm", "libvpx", {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "16"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
)
def test_pictures_of_a_made_film_are_those_of_a_full_decode(
    suffix: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = film(tmp_path / f"film.{suffix}", codec=codec, count=150, options=options)
    check_against_full_decode(path, index_of(path), f"{suffix}{codec}{options}")


def _manifest(videos: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (videos / "MANIFEST.jsonl").read_text().splitlines()]
