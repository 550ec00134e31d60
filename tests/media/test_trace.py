"""Under strace: a decoder with a hostile video in hand touches nothing; and a control that shows it would be seen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from trace_kit.calls import judge
from trace_kit.running import can_trace, installation, trace, traced_run

from tests.media.films import film
from tools.chaos_kit.stage import set_up

PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "remote.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile sound.mp4\n",
    "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9999 RTP/AVP 96\n",
    "manifest.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
}
DISOBEYS = """
import ctypes, sys
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
{what}
"""
needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is missing, or may not trace here")


@needs_strace
@pytest.mark.timeout(300)
def test_decoders_of_hostile_files_touch_nothing(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    for name, text in PLAYLISTS.items():
        (stage.inbox / name).write_text(text)
    film(stage.inbox / "sound.mp4", count=40)
    judged = traced_run(stage, [*PLAYLISTS, "sound.mp4"])
    assert judged.violations == []
    assert judged.decoders == judged.locked >= len(PLAYLISTS) + 2, "one to index each, some for leases of the film"


@needs_strace
@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("", None),
        ("open('/etc/hostname').read()", "/etc/hostname"),
        ("import socket; socket.socket().close()", "socket("),
        ("import os; os.mkdir(sys.argv[-1] + '/new')", "mkdir("),
        ("import os; os.execv('/bin/true', ['true'])", "execve("),
    ],
)
def test_a_decoder_that_did_would_be_seen(what: str, seen: str | None, tmp_path: Path) -> None:
    code = DISOBEYS.format(what=what)
    judged = trace([sys.executable, "-S", "-c", code, "-m", "vlmd.media", str(tmp_path)], tmp_path)
    assert judged.decoders == judged.locked == 1
    assert any(seen in violation for violation in judged.violations) if seen else True


def test_a_name_of_the_inbox_is_seen_even_before_it_is_locked_up() -> None:
    lines = ['execve("/usr/bin/python3", ["python", "-m", "vlmd.media"], 0x7ffc /* 1 var */) = 0']
    assert judge([lines], installation(), "/srv/inbox").violations == []
    for line in (
        'newfstatat(AT_FDCWD, "/srv/inbox/a.mp4", 0x7ffc, 0) = -1 ENOENT',
        "socket(AF_INET) = 3",
    ):
        assert len(judge([[*lines, line]], installation(), "/srv/inbox").violations) == 1
