"""Which devices get a worker: CUDA's rules as a pure function, and whole processes with a stub of NVML."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.nvml import stub_nvml, stub_uuid
from vlmd.config import DeviceSettings, parse_settings
from vlmd.supervisor.devices.discovery import CPU_REMEDY, DeviceError, allowed_cards, discover
from vlmd.supervisor.devices.nvml import Card, Nvml, NvmlError

ROOT = Path(__file__).parents[2]
PROBE = """
import asyncio, dataclasses, json, os, sys
from vlmd.config import parse_settings
from vlmd.supervisor.devices.discovery import DeviceError, discover, readings
from vlmd.supervisor.devices.nvml import Nvml

async def main(use, deadline, also_read):
    nvml = Nvml(deadline)
    try:
        devices = await discover(parse_settings({"devices": {"use": use}}).devices, os.environ, nvml)
    except DeviceError as error:
        return {"problems": error.problems}
    read = await readings(devices, nvml) if also_read else {}
    return {
        "devices": [dataclasses.asdict(device) for device in devices],
        "readings": {name: dataclasses.asdict(reading) for name, reading in read.items()},
    }

print(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
"""

Probe = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Runs discovery in a process whose NVML is the stub; capitals are the stub's variables."""
    folder = tmp_path_factory.mktemp("nvml")

    def run(
        use: str | list[str] = "auto",
        visible: str | None = None,
        gpus: int = 2,
        deadline: float = 20,
        read: bool = False,
        **behaviour: str,
    ) -> dict[str, Any]:
        environment = os.environ | stub_nvml(folder, gpus, **behaviour)
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        if visible is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        asked = json.dumps({"use": use, "deadline": deadline, "also_read": read})
        ran = subprocess.run(
            [sys.executable, "-c", PROBE, asked],
            env=environment,
            cwd=ROOT,
            timeout=60,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) | {"log": ran.stderr}

    return run


def names(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(device["name"], device["index"]) for device in answer["devices"]]


def cards(count: int) -> list[Card]:
    return [Card(index=n, uuid=stub_uuid(n), label="Stub") for n in range(count)]


# --- CUDA_VISIBLE_DEVICES ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "indices"),
    [
        ("0,1,2", [0, 1, 2]),
        (" 2 , 0", [2, 0]),
        ("1,9,0", [1]),
        ("0,-1,1", [0]),
        ("0,,1", [0]),
        ("0,x,1", [0]),
        ("", []),
        ("-1", []),
        ("x", []),
        ("1,1", []),
        ("1,GPU-22222222", []),
        (stub_uuid(1), [1]),
        ("GPU-3,GPU-1", [2, 0]),
        ("GPU-", []),
        ("GPU-2,GPU-9,GPU-1", [1]),
        ("gpu-2", []),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(allowed: str, indices: list[int]) -> None:
    assert [card.index for card in allowed_cards(allowed, cards(3))] == indices


def test_a_beginning_that_fits_two_cards_fits_none() -> None:
    twins = [Card(index=0, uuid="GPU-aa1"), Card(index=1, uuid="GPU-aa2")]
    assert allowed_cards("GPU-aa", twins) == []
    assert allowed_cards("GPU-aa2", twins) == [twins[1]]


def test_a_card_without_uuid_is_never_meant() -> None:
    assert allowed_cards("GPU-1", [Card(index=0, problem="lost"), *cards(1)]) == cards(1)


def test_mig_parts_are_refused() -> None:
    with pytest.raises(DeviceError, match=r"MIG-5, .* vlmd cannot use yet"):
        allowed_cards("0,MIG-5", cards(1))


def test_ignored_entries_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        allowed_cards("0,-1", cards(1))
        assert not caplog.records
        allowed_cards("0,7", cards(1))
    assert '"7" is no GPU of this machine' in caplog.text


# --- whole processes ---------------------------------------------------------------------------------------


def test_auto_takes_every_gpu(probe: Probe) -> None:
    assert probe(CAPABILITY="75")["devices"] == [
        {
            "name": f"cuda:{n}",
            "kind": "cuda",
            "label": f"NVIDIA Stub {n}",
            "index": n,
            "uuid": stub_uuid(n),
            "memory_total": 24 << 30,
            "capability": 75,
            "environment": {"CUDA_VISIBLE_DEVICES": stub_uuid(n), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        }
        for n in range(2)
    ]


def test_gpus_are_counted_among_the_visible_ones(probe: Probe) -> None:
    assert names(probe(gpus=4, visible="3,1")) == [("cuda:0", 3), ("cuda:1", 1)]
    assert names(probe(use=["cuda:1"], gpus=4, visible="3,1")) == [("cuda:1", 1)]
    assert names(probe(use=[stub_uuid(1), "cpu", "cuda:0", "cpu"], gpus=4, visible="3,1")) == [
        ("cuda:1", 1),
        ("cpu:0", 0),
        ("cuda:0", 3),
        ("cpu:1", 1),
    ]


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ("the NVIDIA driver sees none in this machine", {"gpus": 0}),
        ('CUDA_VISIBLE_DEVICES="" hides all 2', {"visible": ""}),
        ('CUDA_VISIBLE_DEVICES="-1" hides all 2', {"visible": "-1"}),
        ("the NVIDIA driver says: Driver Not Loaded", {"ERRORS": "nvmlInit_v2=9"}),
        ("the NVIDIA driver says: RM has detected an NVML/RM version mismatch", {"ERRORS": "nvmlInit_v2=18"}),
        ("the NVIDIA driver says: stub error 77", {"ERRORS": "nvmlDeviceGetCount_v2=77"}),
        (
            "GPU 0: the NVIDIA driver says: GPU is lost",
            {"gpus": 1, "ERRORS": "nvmlDeviceGetHandleByIndex_v2=15"},
        ),
        ("GPU 0 NVIDIA Stub 0: it is split into parts (MIG)", {"gpus": 1, "MIG": "0"}),
    ],
)
def test_auto_never_falls_back_to_the_cpu(probe: Probe, told: str, arguments: dict[str, Any]) -> None:
    (problem,) = probe(**arguments)["problems"]
    assert told in problem
    assert problem.endswith(CPU_REMEDY)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("function", ["nvmlInit_v2", "nvmlDeviceGetUUID"])
def test_a_driver_that_hangs_is_given_up(probe: Probe, function: str) -> None:
    (problem,) = probe(deadline=0.3, HANG=function)["problems"]
    assert "the NVIDIA driver did not answer within 0.3 s" in problem


def test_a_broken_gpu_does_not_cost_the_others(probe: Probe) -> None:
    answer = probe(gpus=3, ERRORS="nvmlDeviceGetUUID@1=15", MIG="2")
    assert names(answer) == [("cuda:0", 0)]
    assert "a GPU gets no worker: GPU 1: the NVIDIA driver says: GPU is lost" in answer["log"]
    assert "a GPU gets no worker: GPU 2 NVIDIA Stub 2: it is split into parts" in answer["log"]


def test_what_is_named_must_be_there_and_usable(probe: Probe) -> None:
    use = ["cuda:0", stub_uuid(0), "cuda:1", "cuda:7", "GPU-dead"]
    told = probe(use=use, ERRORS="nvmlDeviceGetName@1=15")["problems"]
    assert len(told) == 4
    assert told[0] == "devices.use: cuda:1 cannot be used: the NVIDIA driver says: GPU is lost"
    assert told[1].startswith("devices.use: cuda:7 is no GPU that this daemon may use; there are: cuda:0 (")
    assert told[2].startswith("devices.use: GPU-dead is no GPU")
    assert told[3] == "devices.use: GPU 0 is named twice; a GPU gets one worker"


def test_a_gpu_in_parts_is_refused_by_name_too(probe: Probe) -> None:
    (told,) = probe(use=["cuda:1"], MIG="1")["problems"]
    assert told.startswith("devices.use: cuda:1 cannot be used: it is split into parts (MIG)")
    assert names(probe(use=["cuda:0"], MIG="1")) == [("cuda:0", 0)]
    (told,) = probe(visible="MIG-5")["problems"]
    assert told == (
        "CUDA_VISIBLE_DEVICES names MIG-5, a part of a GPU (MIG), which vlmd cannot use yet; name whole GPUs in it"
    )


def test_an_old_driver_without_mig_or_memory_figures(probe: Probe) -> None:
    errors = "nvmlDeviceGetMigMode=3,nvmlDeviceGetMemoryInfo=3"
    assert [device["memory_total"] for device in probe(ERRORS=errors)["devices"]] == [None, None]


def test_readings(probe: Probe) -> None:
    answer = probe(use=["cuda:1", "cpu"], read=True)
    assert answer["readings"] == {
        "cuda:1": {
            "memory_used": 2 << 30,
            "memory_free": 22 << 30,
            "utilisation": 41,
            "temperature": 51,
            "slowed": None,
            "problem": None,
        },
        "cpu:0": {
            "memory_used": None,
            "memory_free": None,
            "utilisation": None,
            "temperature": None,
            "slowed": None,
            "problem": "a worker on the CPU has no GPU to read",
        },
    }


def test_a_gpu_that_is_held_back_says_by_what(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "slowed.0").write_text(str(0x20 | 0x40 | 0x4))
    assert probe(gpus=1, read=True, STATE=str(tmp_path))["readings"]["cuda:0"]["slowed"] == "heat"


def test_what_cannot_be_read_is_told(probe: Probe) -> None:
    answer = probe(use=["cuda:1"], read=True, ERRORS="nvmlDeviceGetUtilizationRates=3,nvmlDeviceGetTemperature=15")
    assert answer["readings"]["cuda:1"] == {
        "memory_used": 2 << 30,
        "memory_free": 22 << 30,
        "utilisation": None,
        "temperature": None,
        "slowed": None,
        "problem": "utilisation: Not Supported; temperature: GPU is lost",
    }


def test_readings_of_a_driver_that_fell_ill_later(probe: Probe) -> None:
    hung = probe(use=["cuda:1"], read=True, deadline=0.3, HANG="nvmlDeviceGetTemperature")
    assert hung["readings"]["cuda:1"]["problem"] == "the NVIDIA driver did not answer within 0.3 s"
    lost = probe(use=["cuda:1"], read=True, ERRORS="nvmlDeviceGetHandleByUUID@1=15")
    assert lost["readings"]["cuda:1"]["problem"] == "the NVIDIA driver says: GPU is lost"


# --- without NVML ------------------------------------------------------------------------------------------


class NoNvml(Nvml):
    async def cards(self) -> list[Card]:
        raise NvmlError("no NVIDIA driver is installed")


def use(*devices: str) -> DeviceSettings:
    return parse_settings({"devices": {"use": list(devices)}}).devices


async def test_the_cpu_by_name_needs_no_driver() -> None:
    first, second = await discover(use("cpu", "cpu"), {}, NoNvml())
    assert (first.name, second.name) == ("cpu:0", "cpu:1")
    assert first.environment == {"CUDA_VISIBLE_DEVICES": ""}


@pytest.mark.parametrize("settings", [DeviceSettings(), use("cuda:0", "cpu")])
async def test_no_driver_is_told(settings: DeviceSettings) -> None:
    with pytest.raises(DeviceError, match=r"no GPU can be used: no NVIDIA driver is installed\. If the CPU"):
        await discover(settings, {}, NoNvml())
