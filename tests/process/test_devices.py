"""GPUs as people share them, and GPUs that fall ill: a stub of NVIDIA's library under real daemons."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.nvml import stub_nvml, stub_uuid
from tests.process.conftest import Film, StartDaemon, answers, content_of, job_done, result_of
from tests.process.test_command_line import vlmd
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.processes import descendants

Films = dict[str, Film]


@dataclass
class Box:
    """A machine with GPUs, and a daemon on it that is at work on a film."""

    daemon: Daemon
    gpus: Path
    environment: dict[str, str]

    def start(self, *flags: str) -> None:
        self.daemon.start(*flags, environment=self.environment)

    def say(self, name: str, text: str = "") -> None:
        """Something about a GPU changes, whole or not at all."""
        (self.gpus / ".new").write_text(text)
        (self.gpus / ".new").rename(self.gpus / name)

    def device(self, name: str = "cuda:0") -> dict[str, Any]:
        status = self.daemon.status() or {"devices": []}
        unknown = {"state": "", "windows_held": 0}
        return next((entry for entry in status["devices"] if entry["name"] == name), unknown)

    def until(self, state: str, name: str = "cuda:0") -> dict[str, Any]:
        self.daemon.until(lambda: self.device(name)["state"] == state, f"{name} is {state}")
        return self.device(name)

    def until_done(self, films: Films) -> None:
        self.daemon.until(lambda: job_done(self.daemon), "the job is done")
        assert content_of(result_of(self.daemon.stage, "one.mp4")) == films["one"].content


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stub, so that it is compiled once."""
    return tmp_path_factory.mktemp("nvml")


@pytest.fixture
def new_box(new_daemon: StartDaemon, films: Films, tmp_path: Path, library: Path) -> Callable[..., Box]:
    def make(gpus: int = 2, seconds: float = 0.05, **config: Any) -> Box:
        devices = {"use": "auto", **config.pop("devices", {})}
        daemon = new_daemon(script={"seconds": seconds}, devices=devices, **config)
        daemon.stage.drop(films["one"].path)
        state = tmp_path / "gpus"
        state.mkdir()
        environment = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(gpus)))}
        return Box(daemon, state, environment | stub_nvml(library, gpus, STATE=str(state)))

    return make


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("lost.0", "", "GPU is lost"),
        ("xids", "0 79\n", "Xid 79: it has fallen off the bus"),
    ],
)
def test_a_gpu_that_falls_ill_is_parked_and_the_other_one_does_everything(
    new_box: Callable[..., Box], films: Films, name: str, text: str, words: str
) -> None:
    box = new_box(seconds=0.2)
    box.start()
    box.daemon.until(lambda: box.device()["windows_held"], "the GPU is at work")
    box.say(name, text)
    assert words in box.until("parked")["reason"]
    box.daemon.until(lambda: box.device()["pid"] is None, "its worker has ended")
    box.until_done(films)
    assert box.device("cuda:1")["deaths"] == 0
    assert not any(row["failures"] for row in box.daemon.rows("SELECT failures FROM windows")), "nobody is blamed"
    (box.gpus / name).unlink()
    box.daemon.post("/v1/devices/resume", {"devices": ["cuda:0"]})
    box.until("idle")
    assert box.daemon.stop() == 0


def test_an_error_of_a_process_costs_no_gpu(new_box: Callable[..., Box], films: Films) -> None:
    box = new_box(gpus=1)
    box.say("xids", "0 13\n0 43\n")
    box.start()
    box.daemon.until(lambda: "Xid 43" in box.daemon.log, "the events were heard")
    assert "cuda:0: Xid 13: a computation failed" in box.daemon.log
    box.until_done(films)


def test_a_gpu_without_enough_free_memory_is_waited_for(new_box: Callable[..., Box], films: Films) -> None:
    box = new_box(gpus=1)
    box.say("free.0", str(1 << 30))
    box.say("processes.0", f"4711 {20 << 30}\n")
    box.start()
    waiting = box.until("waiting")
    assert waiting["reason"] == ("needs 1.7 GB, 1.1 GB of 25.8 GB are free; used by PID 4711 (program-4711, 21.5 GB)")
    assert waiting["needs_bytes"] > waiting["reading"]["memory_free"]
    assert not box.daemon.stage.diary("loads")
    box.say("free.0", str(20 << 30))
    box.until_done(films)
    assert box.device()["deaths"] == 0


def test_paused_the_gpu_is_free_also_after_a_restart(new_box: Callable[..., Box], films: Films) -> None:
    box = new_box(seconds=0.2)
    box.start()
    box.daemon.until(lambda: box.device()["windows_held"], "the GPU is at work")
    worker = box.device()["pid"]
    said = box.daemon.post("/v1/devices/pause", {"devices": [stub_uuid(0)]})
    assert said.json()["devices"][0]["name"] == "cuda:0"
    box.until("paused")
    assert not Path(f"/proc/{worker}").exists()
    box.daemon.stop()
    loads = len(box.daemon.stage.diary("loads"))
    box.start()
    box.until("paused")
    box.daemon.until(lambda: box.device("cuda:1")["state"] in ("idle", "busy"), "the other one works")
    shown = {entry["environment"]["CUDA_VISIBLE_DEVICES"] for entry in box.daemon.stage.diary("loads")[loads:]}
    assert shown == {stub_uuid(1)}
    box.until_done(films)


def test_the_verbs_of_the_command_line(new_box: Callable[..., Box], films: Films) -> None:
    box = new_box(gpus=1, seconds=0.1)
    box.start()
    box.daemon.until(lambda: box.device()["windows_held"], "the GPU is at work")
    held = answers(box.daemon)
    drained = vlmd(box.daemon, "drain", "--wait")
    assert drained.returncode == 0
    assert drained.stderr.splitlines()[-1] == "cuda:0: released; `vlmd resume cuda:0` starts it again"
    assert box.device()["state"] == "paused"
    assert answers(box.daemon) > held
    assert not box.daemon.rows("SELECT 1 FROM windows WHERE attempt > 1"), "every lease was finished"
    refused = vlmd(box.daemon, "pause", "cuda:7")
    assert (refused.returncode, refused.stderr) == (2, "vlmd: there is no device cuda:7; there is cuda:0\n")
    assert vlmd(box.daemon, "resume").returncode == 0
    box.until_done(films)


def test_once_ends_when_everything_rests(new_daemon: StartDaemon, films: Films) -> None:
    daemon = new_daemon(command=True)
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/pause")
    daemon.stop()
    daemon.stage.drop(films["one"].path)
    daemon.start("--once")
    assert daemon.wait() == 1
    assert "nothing can go on: cpu:0 is paused" in daemon.log
    assert [job["state"] for job in daemon.jobs()] == ["queued"], "it was taken in all the same"


def test_a_model_that_cannot_be_loaded_keeps_nobody_from_another(new_daemon: StartDaemon, films: Films) -> None:
    second = {"model": "other", "labels": ["Goal", "Yellow card", "Substitution"]}
    daemon = new_daemon(
        workers=2,
        script={"unloadable": ["it"]},
        command=True,
        **{
            "models.other": {"path": "model", "max_batch": 4, "frame_edge": 64},
            "pipelines.second": second,
            "pipelines.second.window": {"length": 1.0, "step": 0.5, "fps": 4.0},
        },
    )
    daemon.stage.drop(films["one"].path)
    daemon.stage.drop(films["two"].path, "../second/two.mp4")
    daemon.start("--once")
    assert daemon.wait() == 1
    assert sorted((job["pipeline"], job["state"]) for job in daemon.jobs()) == [("match", "queued"), ("second", "done")]
    assert "nothing can go on: it cannot be loaded: the script says so" in daemon.log


def test_idle_it_lets_its_gpu_go_and_comes_back_for_work(new_box: Callable[..., Box], films: Films) -> None:
    box = new_box(gpus=1, seconds=0.0, devices={"idle_unload_seconds": 0.5})
    box.start()
    box.until_done(films)
    assert box.until("unloaded")["pid"] is None
    loads = len(box.daemon.stage.diary("loads"))
    box.daemon.stage.drop(films["two"].path)
    box.daemon.until(lambda: job_done(box.daemon, 2), "the second job is done")
    assert len(box.daemon.stage.diary("loads")) == loads + 1


def test_a_worker_that_stands_still_while_it_loads_or_is_to_end_is_killed(
    new_daemon: StartDaemon, films: Films
) -> None:
    limits = {"load_seconds": 3.0, "progress_seconds": 3.0}
    daemon = new_daemon(script={"load_seconds": 600.0, "seconds": 0.5}, limits=limits)
    daemon.stage.drop(films["one"].path)
    daemon.start()
    daemon.until(lambda: "it made no progress for 3 s while loading" in daemon.log, "it is killed while it loads")
    daemon.stage.save_script(load_seconds=0.0)
    daemon.until(lambda: answers(daemon), "it is at work")
    (worker,) = (process for process in descendants(daemon.pid) if process.kind == "worker")
    worker.send(signal.SIGSTOP)
    daemon.post("/v1/devices/pause")
    daemon.until(lambda: "s while pausing; killed" in daemon.log, "it is killed while it should end")
    daemon.until(lambda: (daemon.status() or {})["devices"][0]["state"] == "paused", "it is paused")
    assert not daemon.rows("SELECT 1 FROM windows WHERE state = 'leased'")
