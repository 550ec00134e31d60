"""Hooks are told of every job that ended, whatever fails or is killed on the way, and hold nothing up."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import Film, StartDaemon, job_done, result_of
from tests.process.test_watching import Scrape
from tools.chaos_kit.daemon import Daemon

Films = dict[str, Film]
SECRET = "a secret of twenty bytes"
NOTE = """#!/bin/sh
cat >"$1/$VLMD_JOB.json"
env | grep ^VLMD_ >"$1/$VLMD_JOB.env"
echo 'a \033[31mred word'
"""
HANG = """#!/bin/sh
echo "$VLMD_DELIVERY" >>"$1/deliveries"
sleep 1000 &
echo $! >>"$1/pids"
wait
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    """Makes a command of a shell script; its only argument is the folder it may write to."""

    def make(text: str) -> list[str]:
        (tmp_path / "hook").write_text(text)
        (tmp_path / "hook").chmod(0o755)
        return [str(tmp_path / "hook"), str(tmp_path)]

    return make


Script = Callable[[str], list[str]]


def test_a_command_is_told_what_became_of_a_job(
    new_daemon: StartDaemon, films: Films, script: Script, tmp_path: Path
) -> None:
    command = script(NOTE)
    daemon = new_daemon(hooks={"on_done": command, "on_failed": command})
    daemon.stage.drop(films["one"].path, "$(id) -x.mp4")
    (tmp_path / "text").write_text("this is no video, but it has some length to it\n" * 100)
    daemon.stage.drop(tmp_path / "text", "text.mp4")
    daemon.start("--once")
    assert daemon.wait() == 0, "what --once waits for includes the hooks"
    told = {row["state"]: json.loads((tmp_path / f"{row['id']}.json").read_text()) for row in daemon.jobs()}
    assert told["done"]["event"] == "job.done"
    assert told["done"]["result"] == str(result_of(daemon.stage, "$(id) -x.mp4"))
    assert told["done"]["job"]["windows"]["answered"] == 23
    assert (told["failed"]["event"], told["failed"]["result"]) == ("job.failed", None)
    assert told["failed"]["code"] == told["failed"]["job"]["code"] == "not-video"
    words = (tmp_path / f"{told['done']['job']['id']}.env").read_text().splitlines()
    assert {f"VLMD_RESULT={told['done']['result']}", "VLMD_STATE=done", "VLMD_PIPELINE=match"} < set(words)
    assert daemon.rows("SELECT * FROM notices") == []


def test_a_command_that_hangs_is_killed_with_all_it_started_and_given_up(
    new_daemon: StartDaemon, films: Films, script: Script, tmp_path: Path
) -> None:
    daemon = new_daemon(hooks={"on_done": script(HANG), "timeout_seconds": 600.0, "tries": 2})
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: len(lines(tmp_path / "pids")) == 1, "the hook is called")
    daemon.kill()
    config = daemon.stage.config
    config.write_text(config.read_text().replace("timeout_seconds = 600.0", "timeout_seconds = 0.5"))
    daemon.start()
    daemon.until_answering()
    daemon.stage.drop(films["one"].path, "two.mp4")
    daemon.until(lambda: job_done(daemon, 2), "the next job is done meanwhile")
    daemon.until(lambda: hooks_of(daemon)["given_up"] == 2, "both are given up")
    deliveries = lines(tmp_path / "deliveries")
    assert deliveries[0] == deliveries[1], "after the kill the same notice is told again"
    assert len(deliveries) == 5 and len(set(deliveries)) == 2
    _, *killed = lines(tmp_path / "pids")
    daemon.until(lambda: not any(map(alive, killed)), "what the commands started is gone")
    untold = hooks_of(daemon)["untold"][0]
    assert (untold["tries"], untold["given_up"]) == (2, True)
    assert "took longer than 0.5 s" in untold["problem"]
    assert "job=1: on_done, try 2 of 2: it took longer" in daemon.log
    assert Scrape(daemon).value("hook_tries_total", event="done", outcome="given-up") == 2
    assert daemon.stop() == 0
    os.kill(int(lines(tmp_path / "pids")[0]), signal.SIGKILL)


def test_a_webhook_is_told_signed_until_it_answers_and_under_one_name(
    new_daemon: StartDaemon, films: Films, tmp_path: Path
) -> None:
    with server(tmp_path) as (address, heard):
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        (tmp_path / "secret").chmod(0o600)
        daemon = new_daemon(hooks={"on_done": address, "secret_file": str(tmp_path / "secret")})
        heard.answers = [500, 302, lambda: daemon.send(signal.SIGKILL), 204]
        daemon.stage.drop(films["one"].path)
        daemon.start()
        assert daemon.wait() == -signal.SIGKILL, "in the middle of the third try, which the server has taken"
        daemon.start("--once")
        assert daemon.wait() == 0
    assert len(heard.requests) == 4
    assert len({headers["Vlmd-Delivery"] for headers, _ in heard.requests}) == 1
    for headers, body in heard.requests:
        assert json.loads(body)["delivery"] == headers["Vlmd-Delivery"]
        assert headers["Vlmd-Event"] == "job.done"
        seconds, digest = (part.split("=")[1] for part in headers["Vlmd-Signature"].split(","))
        assert digest == hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert f"{address.removesuffix('/hook?key=1')} answered 500; tried again later" in daemon.log
    assert "answered 302" in daemon.log, "a redirect is not followed"
    assert daemon.rows("SELECT * FROM notices") == []


def test_a_bad_secret_is_refused(new_daemon: StartDaemon, tmp_path: Path) -> None:
    hooks = {"on_done": "http://127.0.0.1:9/", "secret_file": str(tmp_path / "secret")}
    daemon = new_daemon(command=True, hooks=hooks)
    daemon.start()
    assert daemon.wait() == 78
    assert "cannot be read: No such file or directory" in daemon.log.splitlines()[-1]
    assert "Traceback" not in daemon.log


class Heard:
    """What a server was asked, and what it answers: a status, or something to be done instead of an answer."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | Callable[[], None]] = []


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, Heard]]:
    heard = Heard()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.requests.append((dict(self.headers.items()), body))
            answer = heard.answers[len(heard.requests) - 1]
            if not isinstance(answer, int):
                answer()
                return
            self.send_response(answer)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/hook?key=1", heard
    finally:
        listening.shutdown()
        listening.server_close()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def hooks_of(daemon: Daemon) -> dict[str, Any]:
    return (daemon.status() or {"hooks": {"given_up": 0}})["hooks"]


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
