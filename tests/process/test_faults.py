"""Workers that die, hang, or talk nonsense cost what they had in hand, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.process.conftest import Film, StartDaemon, content_of, job_done, result_of
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.stage import MAX_BATCH

Films = dict[str, Film]
WINDOWS = 23
"""In a film of 12 s: one of 1 s every half second."""
AT = 3000
"""The faults happen in the window that starts here, in milliseconds; it is number 6."""
NUMBER = 6


def run_with(new_daemon: StartDaemon, films: Films, fault: dict[str, Any], **config: Any) -> Daemon:
    """The first film with a fault in one window, to the end."""
    daemon = new_daemon(script={"faults": {str(AT): fault}}, **config)
    daemon.stage.drop(films["one"].path)
    daemon.start("--once")
    assert daemon.wait() == 0, daemon.log
    assert job_done(daemon), daemon.jobs()
    return daemon


def times_asked(daemon: Daemon) -> Counter[int]:
    return Counter(entry["window"] for entry in daemon.stage.asked())


def asked_again(daemon: Daemon) -> set[int]:
    return {window for window, count in times_asked(daemon).items() if count > 1}


def batches(daemon: Daemon) -> list[set[int]]:
    """The batches in which the faulty window was asked, in order."""
    asked = [{entry["window"] for entry in batch["windows"]} for batch in daemon.stage.diary("asked")]
    return [batch for batch in asked if NUMBER in batch]


def windows(daemon: Daemon) -> list[dict[str, Any]]:
    return daemon.rows("SELECT * FROM windows ORDER BY idx")


def assert_as_undisturbed(daemon: Daemon, films: Films) -> None:
    assert content_of(result_of(daemon.stage, "one.mp4")) == films["one"].content


def assert_only_the_faulty_window_failed(daemon: Daemon, code: str) -> None:
    failed = [window for window in windows(daemon) if window["state"] == "failed"]
    assert [(window["idx"], window["code"]) for window in failed] == [(NUMBER, code)]
    result = json.loads(result_of(daemon.stage, "one.mp4").read_text())
    assert [(window["window"], window["code"]) for window in result["failed_windows"]] == [(NUMBER, code)]
    assert result["coverage"]["answered"] == WINDOWS - 1


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("die", {}),
        ("hang", {"progress_seconds": 4.0}),
        ("stop", {"progress_seconds": 4.0}),
        ("garbage", {}),
    ],
)
def test_a_worker_lost_at_work_costs_its_batch_once(
    new_daemon: StartDaemon, films: Films, kind: str, limits: dict[str, Any]
) -> None:
    daemon = run_with(new_daemon, films, {"kind": kind, "times": 1}, limits=limits)
    assert_as_undisturbed(daemon, films)
    assert len({entry["pid"] for entry in daemon.stage.diary("loads")}) == 2
    assert NUMBER in asked_again(daemon)
    assert asked_again(daemon) <= batches(daemon)[0]


def test_a_lost_device_ends_the_process_and_exactly_the_unanswered_are_asked_again(
    new_daemon: StartDaemon, films: Films
) -> None:
    daemon = run_with(new_daemon, films, {"kind": "device", "times": 1})
    assert_as_undisturbed(daemon, films)
    assert "it ended with exit code 70" in daemon.log
    batch = batches(daemon)[0]
    assert len(batch) == MAX_BATCH
    assert asked_again(daemon) == {window for window in batch if window >= NUMBER}
    blamed = {window["idx"] for window in windows(daemon) if window["failures"]}
    assert blamed == asked_again(daemon)


def test_a_window_that_always_kills_is_set_aside_after_three_workers(new_daemon: StartDaemon, films: Films) -> None:
    daemon = run_with(new_daemon, films, {"kind": "die", "times": 99})
    assert_only_the_faulty_window_failed(daemon, "worker-lost")
    assert len(daemon.stage.diary("loads")) == 4
    first, *later = batches(daemon)
    assert len(first) == MAX_BATCH
    assert later == [{NUMBER}, {NUMBER}], "asked alone, so that no neighbour is blamed"
    assert max(count for window, count in times_asked(daemon).items() if window != NUMBER) <= 2


def test_out_of_memory_once_halves_the_batch(new_daemon: StartDaemon, films: Films) -> None:
    daemon = run_with(new_daemon, films, {"kind": "oom", "times": 1})
    assert_as_undisturbed(daemon, films)
    assert len(daemon.stage.diary("loads")) == 1
    whole, half = batches(daemon)
    assert (len(whole), len(half)) == (MAX_BATCH, 1), "two of four were answered before; the other two are halved"
    assert not any(window["failures"] for window in windows(daemon))


def test_out_of_memory_alone_fails_the_window_alone(new_daemon: StartDaemon, films: Films) -> None:
    daemon = run_with(new_daemon, films, {"kind": "oom", "times": 99})
    assert_only_the_faulty_window_failed(daemon, "out-of-memory")
    assert len(daemon.stage.diary("loads")) == 1


def test_out_of_memory_alone_is_asked_with_coarser_frames_and_counted(new_daemon: StartDaemon, films: Films) -> None:
    """Once with its neighbours, once alone, and then with fewer tokens a frame."""
    daemon = new_daemon(script={"faults": {str(AT): {"kind": "oom", "times": 2}}, "coarser": 66})
    daemon.stage.drop(films["one"].path)
    daemon.start("--once")
    assert daemon.wait() == 0, daemon.log
    (answer,) = daemon.rows("SELECT * FROM answers WHERE degraded")
    assert answer["start_ms"] == AT
    (recipe,) = daemon.rows("SELECT body FROM recipes WHERE digest = ?", answer["actual"])
    assert json.loads(recipe["body"])["frame_tokens"] == 66
    result = json.loads(result_of(daemon.stage, "one.mp4").read_text())
    assert (result["coverage"]["answered"], result["coverage"]["degraded"]) == (WINDOWS, 1)
    assert "tried again with 66 tokens a frame" in daemon.log


def test_nan_fails_the_window_and_is_never_an_answer(new_daemon: StartDaemon, films: Films) -> None:
    daemon = run_with(new_daemon, films, {"kind": "nan", "times": 99})
    assert_only_the_faulty_window_failed(daemon, "non-finite")
    assert not asked_again(daemon)


def test_babble_is_kept_as_it_is_and_flagged(new_daemon: StartDaemon, films: Films) -> None:
    daemon = run_with(new_daemon, films, {"kind": "babble", "times": 1})
    (answer,) = daemon.rows("SELECT * FROM answers WHERE start_ms = ?", AT)
    assert answer["text"].startswith('{"label": "Goal", "team": "home", "details": "Player 2020')
    assert answer["finish"] == "length"
    flags = json.loads(result_of(daemon.stage, "one.mp4").read_text())["answers"]
    assert flags["cut_off"] == 1
    assert flags["degenerate"] == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"cannot_load": True}, ["the script says so", "check the model's path"]),
        ({"gpu_unusable": True}, ["torch is a CPU build", "install a torch build that fits the driver"]),
    ],
)
def test_when_no_worker_can_start_the_daemon_says_why_and_ends(
    new_daemon: StartDaemon, films: Films, script: dict[str, Any], words: list[str]
) -> None:
    daemon = new_daemon(workers=2, script=script, command=True)
    daemon.stage.drop(films["one"].path)
    daemon.start()
    assert daemon.wait() == 69
    last = daemon.log.splitlines()[-1]
    assert last.startswith("vlmd: no worker can run: ")
    for word in ["cpu:0", "cpu:1", *words]:
        assert word in last
    assert "Traceback" not in daemon.log
    assert len(daemon.stage.diary("loads")) == 2


def test_workers_that_die_while_they_load_are_parked(new_daemon: StartDaemon) -> None:
    daemon = new_daemon(script={"die_at_load": True}, command=True, limits={"start_failures": 2})
    daemon.start()
    assert daemon.wait() == 69
    assert "2 starts failed" in daemon.log.splitlines()[-1]
