"""All broken, hostile and sound videos there are, dropped at once into one daemon: each ends as it can."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.process.conftest import StartDaemon
from tools.chaos_kit.endings import Ending, broken_promises, endings

DONE = "done"
MAY_END = {
    "clip": {DONE},
    "decodes_clean": {DONE},
    "partial_or_corrupt_frames": {DONE, "undecodable"},
    "video_stream_zero_frames": {"undecodable", "encrypted", "truncated"},
    "opens_no_video": {"no-video-stream", "not-video", "truncated"},
    "unopenable": {"not-video", "truncated", "undecodable", "encrypted"},
}
"""What MANIFEST.jsonl says another FFmpeg made of a file, and how it may end here."""

OTHERWISE = {
    "MediaArea__ImplementationTestFiles_Matroska_tiny.mkv": "undecodable",  # rawvideo
    "MediaArea__ImplementationTestFiles_Matroska_MULTIPLE-EBML-HEADER.mkv": "undecodable",  # rawvideo
    "unifuzz__general_evaluation_avi_brettschlag.avi": "undecodable",  # indeo3
    "mozilla__mp4parse_capi_tests_av1-clearkey-cbcs-video.mp4": "encrypted",  # it decodes, to noise
    "ntu-sec__bento4_9da0ce5_mp4compact_crashes_write_Ap4TrunAtom.h_79_1.mp4": "encrypted",  # its one track is
    "drewnoakes__fuzzing_crash-6b85510afb1e2583c0b9bfe541e9c1590564a559.fuzzed.mp4": "decoder-limit",  # memory
    "ntu-sec__bento4_9da0ce5_mp4compact_hangs_h03.mp4": "decoder-limit",  # memory
    "strongcourage__ogv_bug498855-2.ogv": DONE,  # this FFmpeg can open it
}
"""Codecs vlmd does not open, pictures nobody has the key to, headers that ask for gigabytes, a newer FFmpeg."""


def outcomes(videos: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (videos / "MANIFEST.jsonl").read_text().splitlines()]
    return {
        Path(line["file"]).name: line.get("outcome", "clip")
        for line in lines
        if line["class"] in ("clip", "malformed") and (videos / line["file"]).exists()
    }


def how(ending: Ending) -> str:
    return DONE if ending.state == DONE else str(ending.code)


@pytest.mark.timeout(900)
def test_every_file_there_is_ends_as_it_can(videos: Path, new_daemon: StartDaemon) -> None:
    expected = outcomes(videos)
    daemon = new_daemon(
        workers=2,
        window={"length": 4.0, "step": 4.0, "fps": 0.5},
        limits={"lease_windows": 64, "decoder_memory_bytes": 2 << 30, "decoder_cpu_seconds": 20},
    )
    for folder in ("malformed", "clips"):
        for path in (videos / folder).iterdir():
            daemon.stage.drop(path)
    daemon.start("--once")
    assert daemon.wait(850) == 0, daemon.log[-3000:]
    ended = endings(daemon)
    assert ended.keys() == expected.keys()
    assert broken_promises(daemon, expected) == []
    states = Counter(ending.state for ending in ended.values())
    assert sum(states.values()) == len(expected) == sum(states[s] for s in (DONE, "failed", "quarantined", "refused"))
    otherwise = {name: how(ending) for name, ending in ended.items() if how(ending) not in MAY_END[expected[name]]}
    assert otherwise == OTHERWISE
