"""A running daemon reads its settings again: by SIGHUP and by `vlmd reload`; what changed is asked anew."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

from tests.process.conftest import Film, StartDaemon, answers, job_done
from tools.chaos_kit.daemon import ROOT, Daemon
from tools.chaos_kit.processes import descendants
from tools.chaos_kit.stage import PIPELINE

Films = dict[str, Film]


def vlmd(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vlmd", "-c", str(daemon.stage.config), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)


def change(daemon: Daemon, *pairs: tuple[str, str], more: str = "") -> None:
    text = daemon.stage.config.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    daemon.stage.config.write_text(f"{text}\n{more}")


def reloaded(daemon: Daemon) -> dict[str, Any]:
    said: dict[str, Any] = daemon.post("/v1/reload").raise_for_status().json()
    return said


def test_a_reload_takes_over_what_it_can(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(script={"seconds": 0.05})
    (daemon.stage.folder / "inbox" / "other").mkdir()
    (daemon.stage.folder / "inbox" / "other" / "two.mp4").write_bytes(films["two"].path.read_bytes())
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: answers(daemon) >= 2, "some answers are in")
    (worker,) = [process for process in descendants(daemon.pid) if process.kind == "worker"]
    worker.send(signal.SIGSTOP)  # nothing moves while the settings are changed
    before = answers(daemon)
    other = '[pipelines.other]\nmodel = "it"\nlabels = ["Goal"]\nwindow = { length = 1.0, step = 0.5, fps = 4.0 }'
    change(daemon, ('"Goal", "Yellow card"', '"Corner", "Yellow card"'), ("max_batch = 4", "max_batch = 2"), more=other)
    said = reloaded(daemon)
    assert said["restart"] == ["models.it.max_batch"]
    assert {f"pipelines.{PIPELINE}.labels", "pipelines.other.model"} <= set(said["changed"])
    assert said["planned_again"] == [1]
    worker.send(signal.SIGCONT)
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "both jobs are done, the refused file's too")
    assert daemon.rows("SELECT count(DISTINCT recipe) AS count FROM jobs") == [{"count": 2}]
    labels = json.loads((daemon.stage.results / PIPELINE / "one.mp4.json").read_text())["recipe"]["prompt"]
    assert "Corner" in labels and "Goal" not in labels
    asked = daemon.rows("SELECT count(*) AS count FROM answers JOIN jobs ON jobs.recipe = asked WHERE jobs.id = 1")
    assert asked == [{"count": 23}], "every window of the job was asked anew"
    assert answers(daemon) >= before + 46
    assert reloaded(daemon)["changed"] == []


def test_a_broken_file_keeps_the_old_settings(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon()
    daemon.start()
    daemon.until_answering()
    good = daemon.stage.config.read_text()
    change(daemon, ("lease_windows = 8", "lease_windows = 0"), more="[limit]\nx = 1")
    ran = vlmd(daemon, "reload")
    assert ran.returncode == 78
    daemon.send(signal.SIGHUP)
    daemon.until(lambda: "the old settings stay" in daemon.log, "the log tells of it")
    assert "limits.lease_windows: expected at least 1" in daemon.log
    assert "limit: there is no such key; did you mean limits?" in daemon.log
    daemon.stage.config.write_text(good.replace("lease_windows = 8", "lease_windows = 5"))
    daemon.send(signal.SIGHUP)
    daemon.until(lambda: "limits.lease_windows has changed" in daemon.log, "the mended file counts")
    assert vlmd(daemon, "reload").stdout == "nothing has changed\n"
    daemon.stage.drop(films["one"].path)
    daemon.until(lambda: job_done(daemon), "the daemon still works")
    assert daemon.stop() == 0


def test_a_pipeline_that_is_taken_out_ends_its_jobs(new_daemon: StartDaemon, films: Films) -> None:
    other = {"model": "it", "labels": ["Goal"]}
    daemon = new_daemon(script={"seconds": 0.2}, **{"pipelines.other": other})
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: answers(daemon) >= 1, "an answer is in")
    text = daemon.stage.config.read_text()
    daemon.stage.config.write_text(text.replace(f"pipelines.{PIPELINE}", "pipelines.third"))
    daemon.send(signal.SIGHUP)
    (job,) = daemon.until(lambda: daemon.jobs("failed"), "its job has failed")
    assert job["code"] == "unknown-pipeline"
    daemon.until(lambda: daemon.until_answering()["devices"][0]["windows_held"] == 0, "the worker has left it")
    assert (daemon.stage.folder / "inbox" / "third").is_dir()
    assert daemon.stop() == 0
