"""Which device may have which model: alone, in groups, and what is said where none can."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.supervisor.test_slot import CANNOT, MODEL
from vlmd.config import parse_settings
from vlmd.core.errors import Code
from vlmd.core.messages.worker import ModelSpec
from vlmd.supervisor.devices.discovery import Device
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.metrics import Metrics

LARGE = msgspec.structs.replace(MODEL, name="large", devices=2)
MODELS = {MODEL.name: MODEL, LARGE.name: LARGE}


def fleet(devices: int, models: dict[str, ModelSpec] = MODELS) -> Fleet:
    labels = {"labels": ["Goal"]}
    settings = parse_settings(
        {
            "models": {name: {"path": "/srv/model"} for name in models},
            "pipelines": {name: {"model": name, **labels} for name in models},
        }
    )
    there = [Device(f"cuda:{number}", "cuda", "GPU", number) for number in range(devices)]
    nobody: Any = None
    metrics = Metrics(device.name for device in there)
    return Fleet(
        settings, nobody, models, there, nobody, ["worker"], lambda: None, metrics, nobody, lambda model, total: 0
    )


def test_a_device_without_a_neighbour_is_for_models_that_take_one() -> None:
    three = fleet(3)
    can = [[three._choice.can_have(slot, name) for slot in three.slots] for name in ("m", "large")]
    assert can == [[True, True, True], [True, True, False]]
    assert not three.unloadable()
    assert three.why_nothing_moves(["large"]) is None


def test_a_model_for_which_there_are_too_few_devices_is_refused_also_after_a_resume() -> None:
    one = fleet(1)
    assert one.unloadable()["large"].code == Code.TOO_FEW_DEVICES
    one.slots[0].resume()
    assert not one.unloadable()
    one.reload(parse_settings({}))
    assert list(one.unloadable()) == ["large"]
    said = one.why_nothing_moves(["large"]) or ""
    assert said.startswith("large cannot be loaded: large takes 2 devices of one kind (devices_per_worker), and there")
    assert one.why_nothing_moves(["large", "m"]) is None


def test_alone_on_too_few_devices_it_leaves_nothing_to_live_for() -> None:
    (slot,) = fleet(1, {"large": LARGE}).slots
    assert (slot._parked() or "").endswith("or give vlmd more devices (devices.use), then restart it")


def test_a_group_of_which_one_rests_is_told_of() -> None:
    two = fleet(2)
    two.slots[1].paused = True
    assert not two._choice.can_have(two.slots[0], "large")
    assert two.why_nothing_moves(["large"]) == "large takes 2 devices side by side, and some cannot work"
    two.slots[1]._resting = "paused"  # type: ignore[assignment]
    assert two.why_nothing_moves(["large"]) == "large takes 2 devices side by side, and cuda:1 is paused"
    assert two.why_nothing_moves(["m"]) is None


def test_a_model_that_the_first_of_a_group_could_not_load_is_not_tried_by_the_others() -> None:
    two = fleet(2)
    two.slots[0].refused["large"] = CANNOT
    assert not any(two._choice.can_have(slot, "large") for slot in two.slots)
    assert two.why_nothing_moves(["large"]) == f"large cannot be loaded: {CANNOT.reason} ({CANNOT.remedy})"
