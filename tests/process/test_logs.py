"""What a daemon logs, and that it goes on where its log cannot."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.process.conftest import Film, StartDaemon, content_of, result_of
from tools.chaos_kit.daemon import ROOT

Films = dict[str, Film]
AT = 3000


def test_a_job_that_goes_well_is_one_line(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(command=True)
    daemon.stage.drop(films["one"].path)
    daemon.start("--once")
    assert daemon.wait() == 0
    said = [line.split(" ", 1)[1] for line in daemon.log.splitlines()]
    assert [line for line in said if "job=" in line] == [
        f"INFO vlmd.merging: job=1: done, {_events(daemon.log)} events: match/one.mp4.json"
    ]
    assert len(said) == 6, "ready, done, everything is done, stopping, stopped, and what --once says at its end"


def test_a_line_names_what_it_is_about_in_every_process(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(command=True, script={"faults": {str(AT): {"kind": "raise", "times": 1}}})
    daemon.stage.drop(films["one"].path)
    daemon.start("--once", "-v")
    assert daemon.wait() == 0
    log = daemon.log
    assert re.search(r"DEBUG vlmd.checkpoints: job=1 window=6 lease=\d+ device=cpu:0: answered ", log)
    assert re.search(r"WARNING vlmd.worker: job=1 window=4 .*window=6 .*lease=\d+ device=cpu:0: a batch of 4", log)
    assert re.search(r"DEBUG vlmd.planning: job=1: 12.0 s, 23 windows, queued", log)
    assert re.search(r"INFO vlmd.fleet: device=cpu:0: ready in ", log)


@pytest.mark.parametrize("broken", [">&-", ">/dev/full", "| exec true"])
def test_a_daemon_whose_stderr_is_broken_goes_on(new_daemon: StartDaemon, films: Films, broken: str) -> None:
    stage = new_daemon(script={"faults": {str(AT): {"kind": "die", "times": 1}}}).stage
    stage.drop(films["one"].path)
    command = [sys.executable, "-m", "tests.process.command", "-c", str(stage.config), "run", "--once", "-v"]
    # The daemon's exit code goes to a file: that of a pipe is its last command's.
    redirected = f"2{broken}" if broken.startswith(">") else f"2>&1 {broken}"
    script = f'{{ "$@"; echo $? >"{stage.folder}/code"; }} {redirected}'
    subprocess.run(["sh", "-c", script, "sh", *command], cwd=ROOT, env=stage.environment, timeout=90, check=False)
    assert (stage.folder / "code").read_text() == "0\n"
    assert content_of(result_of(stage, "one.mp4")) == films["one"].content
    assert os.listdir(stage.state)


def _events(log: str) -> str:
    found = re.search(r"done, (\d+) events", log)
    assert found, log
    return found[1]
