"""Two models and one device: which is loaded when, what is said of it, and that one broken model stops no other."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from tests.process.conftest import Film, StartDaemon, answers
from tests.process.test_command_line import vlmd
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.processes import descendants

Films = dict[str, Film]
LABELS = ["Goal", "Yellow card", "Substitution"]
WINDOW = {"length": 1.0, "step": 0.5, "fps": 4.0}
OLDER_MS = 11 * 60 * 1000
"""More than jobs of another model are left waiting."""


@pytest.fixture
def two_models(new_daemon: StartDaemon) -> Callable[..., Daemon]:
    """Pipeline `match` asks model `it`, which is loaded first; pipeline `second` asks model `other`."""

    def make(workers: int = 1, path: str = "model", **script: Any) -> Daemon:
        return new_daemon(
            workers=workers,
            script={"seconds": 0.02, **script},
            command=True,
            **{
                "models.other": {"path": path, "max_batch": 4, "frame_edge": 64},
                "pipelines.second": {"model": "other", "labels": LABELS},
                "pipelines.second.window": WINDOW,
            },
        )

    return make


def take_in(daemon: Daemon, films: Films, *videos: tuple[str, str]) -> None:
    """Have these videos, each a film for a pipeline, taken in one after the other, and none answered."""
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/pause")
    for number, (film, pipeline) in enumerate(videos, 1):
        daemon.stage.drop(films[film].path, f"../{pipeline}/{number}.mp4")
        daemon.until(lambda: len(daemon.jobs("queued")) == number, "it is taken in")  # noqa: B023
    assert daemon.stop() == 0
    (daemon.stage.folder / "script" / "loads.jsonl").unlink(missing_ok=True)


def set_back(daemon: Daemon, job: int) -> None:
    """The job came earlier than it did."""
    with sqlite3.connect(daemon.stage.database) as db:
        db.execute("UPDATE jobs SET created_at = created_at - ? WHERE id = ?", (OLDER_MS, job))
    db.close()


def loads(daemon: Daemon) -> list[str]:
    return [load["model"] for load in daemon.stage.diary("loads")]


def work(daemon: Daemon) -> list[int]:
    """Jobs in the order in which their windows were asked; one that is taken up again comes again."""
    return [job for job, _ in groupby(window["job"] for window in daemon.stage.asked())]


def device(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = (daemon.status() or {"devices": [{"state": "", "model": ""}]})["devices"][0]
    return found


def go_on(daemon: Daemon, jobs: int) -> None:
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: len(daemon.jobs("done")) == jobs, "all jobs are done")


def test_no_swap_while_the_loaded_model_has_work_nearly_as_old(two_models: Callable[..., Daemon], films: Films) -> None:
    daemon = two_models()
    take_in(daemon, films, ("one", "match"), ("two", "second"), ("long", "match"))
    go_on(daemon, 3)
    assert work(daemon) == [1, 3, 2]
    assert loads(daemon) == ["it", "other"]
    assert device(daemon)["swaps"] == 1
    assert (daemon.status() or {})["swaps"]["seconds"] > 0
    assert 'vlmd_model_swaps_total{device="cpu:0"} 1.0' in metrics(daemon)
    assert "1 model swap, 0:0" in vlmd(daemon, "status").stdout
    assert daemon.stop() == 0


def test_a_device_keeps_its_model_for_what_comes_of_the_job_it_has_just_ended(
    new_daemon: StartDaemon, films: Films
) -> None:
    """Job 1 needs another of the same model; that of the other model is open all the while."""
    daemon = new_daemon(
        script={"seconds": 0.02},
        **{
            "models.other": {"path": "model", "max_batch": 4, "frame_edge": 64},
            "pipelines.told": {"model": "it", "labels": LABELS, "context": ["match"]},
            "pipelines.told.window": WINDOW,
            "pipelines.second": {"model": "other", "labels": LABELS},
            "pipelines.second.window": WINDOW,
        },
    )
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/pause")
    for name, pipeline, count in (("one", "told", 1), ("two", "second", 2)):
        daemon.stage.drop(films[name].path, f"../{pipeline}/{name}.mp4")
        daemon.until(lambda: len(daemon.jobs("queued")) == count, "it is planned")  # noqa: B023
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: len(daemon.jobs("done")) == 3, "all jobs are done")
    assert device(daemon)["swaps"] == 1
    assert daemon.stop() == 0


def test_a_much_older_job_of_another_model_goes_first_and_the_device_comes_back_once(
    two_models: Callable[..., Daemon], films: Films
) -> None:
    daemon = two_models()
    take_in(daemon, films, ("one", "second"), ("two", "match"), ("long", "match"))
    set_back(daemon, 1)
    go_on(daemon, 3)
    assert work(daemon) == [1, 2, 3]
    assert loads(daemon) == ["it", "other", "it"]
    assert device(daemon)["swaps"] == 2


def test_a_job_says_which_model_it_waits_for_and_loading_how_far_it_is(
    two_models: Callable[..., Daemon], films: Films
) -> None:
    daemon = two_models(seconds=0.4, load_seconds=6.0, load_parts=4)
    take_in(daemon, films, ("one", "match"), ("two", "second"))
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume")
    half = daemon.until(lambda: loading(daemon, 0.5), "half of it is loaded")
    assert half["stage"] == "load weights 2 of 4"
    assert 0 < half["loading"]["left_s"] < 6.0
    daemon.until(lambda: answers(daemon), "it is at work")
    assert daemon.get("/v1/jobs/2")["waits"] == "waits for other; cpu:0 is busy with it"
    assert "waits for other; cpu:0 is busy with it\n" in vlmd(daemon, "show", "2").stdout
    assert daemon.get("/v1/jobs/1")["waits"] is None
    daemon.until(lambda: device(daemon)["model"] == "other", "the other model is loaded")
    assert daemon.get("/v1/jobs/2")["waits"] == "waits for other; cpu:0 loads it"
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "both are done")


def loading(daemon: Daemon, share: float) -> dict[str, Any] | None:
    found = device(daemon)
    return found if (found.get("loading") or {}).get("share") == share else None


def metrics(daemon: Daemon) -> str:
    return str(daemon._http.get("/metrics").raise_for_status().text)


def test_a_model_that_cannot_be_loaded_costs_one_swap_and_is_tried_again_when_asked(
    two_models: Callable[..., Daemon], films: Films
) -> None:
    daemon = two_models(unloadable=["other"])
    take_in(daemon, films, ("one", "second"), ("two", "match"))
    set_back(daemon, 1)
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: [job["id"] for job in daemon.jobs("done")] == [2], "the other model's job is done")
    assert loads(daemon) == ["it", "other", "it"]
    said = "other cannot be loaded: the script says so; check the model's path and files"
    assert said in daemon.get("/v1/jobs/1")["waits"]
    assert "model other: its jobs wait, it cannot be loaded: the script says so" in vlmd(daemon, "status").stdout
    daemon.stage.save_script(unloadable=[])
    assert vlmd(daemon, "resume").returncode == 0
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "it is done, too")


def test_a_worker_killed_in_the_middle_of_a_swap_costs_nothing_but_time(
    two_models: Callable[..., Daemon], films: Films
) -> None:
    daemon = two_models(load_seconds=2.0, load_parts=4)
    take_in(daemon, films, ("one", "match"), ("two", "second"))
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/devices/resume")
    daemon.until(lambda: loads(daemon) == ["it", "other"] and loading(daemon, 0.5), "half of the other is loaded")
    (worker,) = (process for process in descendants(daemon.pid) if process.kind == "worker")
    worker.send(signal.SIGKILL)
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "both are done")
    assert loads(daemon) == ["it", "other", "other"]
    assert (device(daemon)["swaps"], device(daemon)["deaths"]) == (1, 1)
    assert device(daemon)["swap_seconds"] > 3.0, "the failed start counts"
    assert not daemon.rows("SELECT 1 FROM windows WHERE failures > 0")


def test_a_model_that_is_not_here_keeps_only_its_own_jobs_waiting_until_it_comes(
    two_models: Callable[..., Daemon], films: Films
) -> None:
    daemon = two_models(path="later")
    daemon.stage.drop(films["one"].path, "../second/one.mp4")
    daemon.stage.drop(films["two"].path)
    daemon.start()
    daemon.until(lambda: len(daemon.jobs("done")) == 1, "the other model's job is done")
    (waiting,) = daemon.jobs("indexing")
    said = daemon.get(f"/v1/jobs/{waiting['id']}")["waits"]
    reason = f"{daemon.stage.folder / 'later'} holds no config.json"
    assert said.startswith(f"its model cannot be loaded: {reason}")
    assert f"model other: its jobs wait, it cannot be loaded: {reason}" in vlmd(daemon, "status").stdout
    assert daemon.stop() == 0
    daemon.start()
    daemon.until_answering()
    daemon.post("/v1/reload")
    assert [job["id"] for job in daemon.jobs("indexing")] == [waiting["id"]], "no start and no reload ends its job"
    (daemon.stage.folder / "model").rename(daemon.stage.folder / "later")
    (daemon.stage.folder / "later" / "config.json").read_text()
    assert vlmd(daemon, "resume").returncode == 0
    daemon.until(lambda: len(daemon.jobs("done")) == 2, "it is done, too")
    assert "model other is here now" in daemon.log


def test_the_end_of_all_jobs_is_not_waited_for_without_their_model(two_models: Callable[..., Daemon]) -> None:
    daemon = two_models(path="later")
    daemon.start("--once")
    assert daemon.wait() == 78
    assert "models.other.path: " in daemon.log
