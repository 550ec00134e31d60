"""A model that takes two GPUs beside one that takes one: a stub of NVIDIA's library under real daemons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nvml import stub_nvml, stub_uuid
from tests.process.conftest import Film, StartDaemon
from tests.process.test_command_line import vlmd
from tests.process.test_models import LABELS, WINDOW, metrics, set_back, take_in
from tools.chaos_kit.daemon import Daemon

Films = dict[str, Film]
BOTH = f"{stub_uuid(0)},{stub_uuid(1)}"


@pytest.fixture
def large_model(new_daemon: StartDaemon, tmp_path: Path) -> Callable[..., Daemon]:
    """Pipeline `match` asks model `it`, which takes one GPU and is loaded first; `second` asks `large`, for two."""

    def make(gpus: int = 2, takes: int = 2, **script: Any) -> Daemon:
        daemon = new_daemon(
            script={"seconds": 0.05, **script},
            command=True,
            devices={"use": "auto"},
            **{
                "models.large": {"path": "model", "max_batch": 4, "frame_edge": 64, "devices_per_worker": takes},
                "pipelines.second": {"model": "large", "labels": LABELS},
                "pipelines.second.window": WINDOW,
            },
        )
        environment = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(gpus)))} | stub_nvml(tmp_path, gpus)
        begin = daemon.start
        daemon.start = lambda *flags: begin(*flags, environment=environment)  # type: ignore[method-assign]
        return daemon

    return make


def shown(daemon: Daemon) -> list[tuple[str, str, int]]:
    """Model, GPUs it saw, and how many it was told of, of every worker that loaded one."""
    return [
        (load["model"], load["environment"]["CUDA_VISIBLE_DEVICES"], load["devices"])
        for load in daemon.stage.diary("loads")
    ]


def states(daemon: Daemon) -> list[str]:
    return [entry["state"] for entry in (daemon.status() or {"devices": []})["devices"]]


def test_it_takes_both_gpus_for_its_job_and_gives_them_back(large_model: Callable[..., Daemon], films: Films) -> None:
    daemon = large_model(seconds=0.1)
    take_in(daemon, films, ("one", "second"), ("long", "match"))
    set_back(daemon, 1)
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: states(daemon) == ["busy", "lent"], "the large model is at work")
    first, second = (daemon.status() or {})["devices"]
    assert first["devices"] == ["cuda:0", "cuda:1"]
    assert (second["reason"], second["lent_to"], second["pid"]) == ("with cuda:0", "cuda:0", first["pid"])
    assert second["model"] == "large"
    assert daemon.get("/v1/jobs/2")["waits"] == "waits for it; cuda:0 and cuda:1 are busy with large"
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "both are done")
    assert sorted(shown(daemon)[-2:]) == [("it", stub_uuid(0), 1), ("it", stub_uuid(1), 1)]
    assert shown(daemon)[-3] == ("large", BOTH, 2)
    assert 'vlmd_model_swaps_total{device="cuda:0"} 2.0' in metrics(daemon)
    assert daemon.stop() == 0


def test_with_one_of_its_gpus_paused_it_waits_and_the_other_model_goes_on(
    large_model: Callable[..., Daemon], films: Films
) -> None:
    daemon = large_model()
    take_in(daemon, films, ("one", "second"), ("two", "match"))
    set_back(daemon, 1)
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume", {"devices": ["cuda:0"]})
    daemon.until(lambda: [job["id"] for job in daemon.jobs("done")] == [2], "the small model's job is done")
    assert all(model == "it" for model, _, _ in shown(daemon))
    assert daemon.get("/v1/jobs/1")["waits"] == "waits for large; cuda:0 is idle with it, cuda:1 is paused"
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "both are done")
    assert shown(daemon)[-1] == ("large", BOTH, 2)
    released = vlmd(daemon, "pause", "cuda:1", "--wait")
    assert released.stderr.splitlines()[-1] == "cuda:1: released; `vlmd resume cuda:1` starts it again"
    daemon.until(lambda: states(daemon) == ["unloaded", "paused"], "the other one is free, too")


def test_on_too_few_gpus_it_is_refused_and_the_other_model_goes_on(
    large_model: Callable[..., Daemon], films: Films
) -> None:
    daemon = large_model(takes=3)
    daemon.stage.drop(films["one"].path)
    daemon.stage.drop(films["two"].path, "../second/two.mp4")
    daemon.start("--once")
    assert daemon.wait() == 1
    assert sorted((job["pipeline"], job["state"]) for job in daemon.jobs()) == [("match", "done"), ("second", "queued")]
    said = "large takes 3 devices of one kind (devices_per_worker), and there are 2"
    assert f"nothing can go on: large cannot be loaded: {said}" in daemon.log
