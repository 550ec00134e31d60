"""`vlmd top` beside a real daemon: lines on a pipe, a screen on a terminal, and the requests both live on."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.process.conftest import Film, StartDaemon, answers, job_done
from tools.chaos_kit.daemon import ROOT, Daemon

Films = dict[str, Film]
SECONDS = 60.0


@pytest.fixture
def watched(new_daemon: StartDaemon, films: Films) -> Daemon:
    """A daemon that is not started yet, with a video in its inbox and a slow worker."""
    daemon = new_daemon(script={"seconds": 0.1})
    daemon.stage.drop(films["one"].path)
    return daemon


def command(daemon: Daemon, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "vlmd", "-c", str(daemon.stage.config), "top", *arguments]


@pytest.fixture
def lines(watched: Daemon) -> Iterator[subprocess.Popen[bytes]]:
    """`vlmd top` on a pipe."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command(watched), stdout=subprocess.PIPE, cwd=ROOT, env=environment) as process:
        yield process
        process.kill()


def read_until(fd: int, wanted: str, seconds: float = SECONDS) -> str:
    """What comes out, up to and with the text that is waited for."""
    text, deadline = "", time.monotonic() + seconds
    while wanted not in text:
        assert select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0], f"no {wanted!r} in {text!r}"
        read = os.read(fd, 1 << 16)
        assert read, f"it ended without {wanted!r}: {text!r}"
        text += read.decode()
    return text


def test_on_a_pipe_it_says_what_happens_and_survives_the_daemon(
    watched: Daemon, lines: subprocess.Popen[bytes]
) -> None:
    assert lines.stdout is not None
    out = lines.stdout.fileno()
    read_until(out, "no daemon answers at")
    watched.start()
    read_until(out, "the daemon answers again")
    text = read_until(out, "one.mp4 0:00:0")
    assert "\x1b" not in text
    watched.until(lambda: job_done(watched), "the job is done")
    read_until(out, "jobs: 1 done")
    assert watched.stop() == 0
    read_until(out, "no daemon answers at")
    lines.send_signal(signal.SIGTERM)
    assert lines.wait(SECONDS) == 0


def test_q_ends_it_and_leaves_the_terminal_as_it_was(watched: Daemon) -> None:
    watched.start()
    watched.until(lambda: answers(watched) > 0, "there are answers")
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 80))
    before = termios.tcgetattr(inner)
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm-256color"
    with subprocess.Popen(command(watched), stdin=inner, stdout=inner, cwd=ROOT, env=environment) as process:
        try:
            drawn = read_until(outer, "one.mp4")
            assert "\x1b[?1049h" in drawn, "a screen of its own"
            termios.tcsetwinsize(inner, (50, 160))
            read_until(outer, "DETAILS")
            assert termios.tcgetattr(inner) != before
            os.write(outer, b"q")
            read_until(outer, "\x1b[?25h\x1b[?1049l")
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
    assert termios.tcgetattr(inner) == before
    os.close(inner)
    os.close(outer)


def test_one_request_has_what_a_frame_needs(watched: Daemon) -> None:
    watched.start()
    watched.until(lambda: answers(watched) >= 4, "some answers are in")
    said = watched.get("/v1/screen?jobs=1")
    assert [(job["id"], job["state"]) for job in said["active"]] == [(1, "running")]
    (device,) = said["devices"]
    assert (device["looking_at"]["job"], device["looking_at"]["name"]) == (1, "one.mp4")
    assert device["windows_per_second"] > 0
    assert device["tokens_per_second"] > 0
    assert device["uptime_s"] >= 0


def test_answers_come_raw_and_page_by_page(watched: Daemon) -> None:
    watched.start()
    watched.until(lambda: job_done(watched), "the job is done")
    every = watched.get("/v1/jobs/1/answers?limit=1000")
    stored = watched.rows("SELECT id, text FROM answers ORDER BY id")
    assert [(answer["id"], answer["text"]) for answer in every["answers"]] == [(r["id"], r["text"]) for r in stored]
    assert every["tasks"]["match"]["labels"] == ["Goal", "Yellow card", "Substitution"]
    first = watched.get("/v1/jobs/1/answers?limit=2")["answers"]
    rest = watched.get(f"/v1/jobs/1/answers?after={first[-1]['id']}&limit=1000")["answers"]
    assert first + rest == every["answers"]
    assert watched.get("/v1/answers?limit=3")["answers"] == every["answers"][-3:]
    assert {answer["job"] for answer in every["answers"]} == {1}
    for query in ("limit=0", "limit=1001", "after=-1", "after=x"):
        with pytest.raises(httpx.HTTPStatusError, match="400"):
            watched.get(f"/v1/answers?{query}")


def test_a_picture_is_one_frame_and_needs_a_daemon(watched: Daemon) -> None:
    target = watched.stage.folder / "top.svg"
    run: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": SECONDS}
    assert subprocess.run(command(watched, "--svg", str(target)), **run).returncode == 3
    watched.start()
    watched.until(lambda: answers(watched) > 0, "there are answers")
    assert subprocess.run(command(watched, "--svg", str(target)), **run).returncode == 0
    assert "one.mp4" in target.read_text()
