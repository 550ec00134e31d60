"""How far a model is loaded, what swaps took, and what a job that waits for a model is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.supervisor.simulation import SimSlot, World
from vlmd.core.errors import Code, Failure
from vlmd.supervisor.fleet.loading import Loading
from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.fleet.tally import Tally
from vlmd.supervisor.fleet.waiting import why_waits, with_reason


def test_parts_of_a_stage_tell_how_far_it_is_and_how_long_the_rest_takes() -> None:
    loading = Loading(100.0)
    loading.heard("load torch", 101.0)
    assert (loading.share, loading.left(102.0)) == (None, None)
    loading.heard("load weights 1 of 8", 110.0)
    assert (loading.share, loading.left(111.0)) == (0.125, None), "one part says nothing of the next"
    loading.heard("load weights 3 of 8", 114.0)
    assert (loading.share, loading.left(114.0), loading.left(115.0)) == (0.375, 10.0, 9.0)
    loading.heard("load weights 8 of 8", 130.0)
    assert (loading.share, loading.left(130.0)) == (1.0, 0.0)
    loading.heard("load device", 131.0)
    assert (loading.share, loading.left(131.0), loading.stage) == (None, None, "load device")


def test_parts_of_another_stage_are_counted_anew() -> None:
    loading = Loading(0.0)
    loading.heard("load weights 1 of 2", 1.0)
    loading.heard("load weights 2 of 2", 50.0)
    loading.heard("load shards 1 of 4", 51.0)
    assert loading.left(51.0) is None
    loading.heard("load shards 2 of 4", 52.0)
    assert loading.left(52.0) == 2.0


def test_what_it_took_the_last_time_is_the_better_guess() -> None:
    loading = Loading(0.0, usual=60.0)
    assert loading.left(20.0) == 40.0
    assert loading.left(70.0) is None, "it takes longer this time"


def test_the_log_hears_of_it_every_ten_seconds_at_most() -> None:
    loading = Loading(0.0)
    said = []
    for second in range(1, 31):
        loading.heard(f"load weights {second} of 40", float(second))
        if news := loading.news(float(second)):
            said.append(news)
    assert said == [
        "load weights 10 of 40, 25 % after 10 s, 30 s left",
        "load weights 20 of 40, 50 % after 20 s, 20 s left",
        "load weights 30 of 40, 75 % after 30 s, 10 s left",
    ]


def test_a_swap_is_counted_once_the_other_model_is_ready_with_all_that_it_took() -> None:
    tally = Tally()
    assert tally.ready("qwen", 30.0, 30.0) is None, "the first model is no swap"
    assert tally.ready("qwen", 30.0, 90.0) is None, "nor is the same one again"
    tally.changes(100.0)
    tally.changes(140.0)  # its first start failed
    assert tally.ready("smol", 20.0, 160.0) == 60.0
    assert (tally.swaps, tally.swap_seconds) == (1, 60.0)
    tally.changes(200.0)
    assert tally.ready("smol", 20.0, 230.0) is None, "the other model could not be loaded"
    tally.changes(300.0)
    assert tally.ready("qwen", 20.0, 310.0) == 10.0
    assert (tally.swaps, tally.swap_seconds) == (2, 70.0)


def slots(*doing: tuple[SlotState, str]) -> list[SimSlot]:
    world = World(["qwen", "smol"], len(doing))
    for slot, (state, model) in zip(world.slots, doing, strict=True):
        slot.state = state
        slot.model = world.giver._models[model]
    return world.slots


@pytest.mark.parametrize(
    ("doing", "words"),
    [
        ([(SlotState.BUSY, "smol"), (SlotState.BUSY, "qwen")], None),
        ([(SlotState.BUSY, "qwen")], "waits for smol; cuda:0 is busy with qwen"),
        (
            [(SlotState.BUSY, "qwen"), (SlotState.BUSY, "qwen"), (SlotState.PAUSED, "qwen")],
            "waits for smol; cuda:0 and cuda:1 are busy with qwen, cuda:2 is paused",
        ),
        ([(SlotState.BUSY, "qwen")] * 5, "waits for smol; 5 devices are busy with qwen"),
        ([(SlotState.LOADING, "smol"), (SlotState.BUSY, "qwen")], "waits for smol; cuda:0 loads it"),
        ([(SlotState.PARKED, "smol")], "waits for smol; cuda:0 is parked"),
    ],
)
def test_a_job_is_told_what_the_devices_do_instead(doing: list[tuple[SlotState, str]], words: str | None) -> None:
    assert why_waits("smol", slots(*doing)) == words  # type: ignore[arg-type]


def test_a_job_whose_model_no_device_can_load_is_told_why() -> None:
    there = slots((SlotState.BUSY, "qwen"))
    there[0].refused["smol"] = Failure(Code.MODEL_DAMAGED, "half of it is missing")
    said = why_waits("smol", there)  # type: ignore[arg-type]
    assert said is not None
    assert said.startswith("smol cannot be loaded: half of it is missing; copy or `vlmd models fetch`")


@pytest.mark.parametrize(
    ("state", "counts", "waits"),
    [
        ("queued", {}, True),
        ("running", {"answered": 4}, True),
        ("running", {"leased": 1}, False),
        ("running", {"answered": 9, "failed": 1}, False),
        ("indexing", {}, False),
        ("done", {}, False),
    ],
)
def test_only_a_job_with_windows_that_nobody_has_waits(state: str, counts: dict[str, Any], waits: bool) -> None:
    windows = {"total": 10, "leased": 0, "answered": 0, "failed": 0, **counts}
    job = {"state": state, "model": "smol", "pipeline": "p", "windows": windows}
    there = slots((SlotState.BUSY, "qwen"))
    assert (with_reason(job, there)["waits"] is not None) == waits  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "waits"), [("indexing", True), ("queued", True), ("done", False)])
def test_a_job_whose_model_is_not_here_says_so_in_every_state(state: str, waits: bool) -> None:
    windows = {"total": 0, "leased": 0, "answered": 0, "failed": 0}
    job = {"state": state, "model": None, "pipeline": "p", "windows": windows}
    absent = {"p": Failure(Code.MODEL_MISSING, "/m holds no config.json")}
    said = with_reason(job, slots((SlotState.BUSY, "qwen")), absent)["waits"]  # type: ignore[arg-type]
    assert (said or "").startswith("its model cannot be loaded: /m holds no config.json; ") == waits
