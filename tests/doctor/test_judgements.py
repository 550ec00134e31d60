"""What is made of what was found."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
from pathlib import Path
from typing import Any

import pytest

from vlmd import __version__
from vlmd.config import ModelSettings, parse_settings
from vlmd.doctor import database, decoding, folders, gpu, models, registry, service, system
from vlmd.doctor.findings import Finding, Setting
from vlmd.store import Store
from vlmd.weights import demo_folder

DRIVER: dict[str, Any] = {"missing": False, "driver": "550.1", "cuda": 12040, "gpus": [{"index": 0, "problem": None}]}
DEVICE = {"index": 0, "name": "L4", "capability": [8, 9], "bf16": True, "problem": None}
TORCH: dict[str, Any] = {"torch": "2.13", "cuda": "12.8", "architectures": ["sm_80", "sm_90"], "devices": [DEVICE]}


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


# --- GPUs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("torch", "driver", "told"),
    [
        (TORCH, DRIVER, ["ok", "ok"]),
        (TORCH | {"cuda": "13.0"}, DRIVER, ["fail"]),
        (TORCH | {"cuda": None, "devices": []}, DRIVER, ["fail"]),
        (TORCH | {"devices": []}, DRIVER, ["fail"]),
        (TORCH | {"devices": [DEVICE | {"capability": [7, 5]}]}, DRIVER, ["ok", "fail"]),
        (TORCH | {"devices": [DEVICE | {"problem": "RuntimeError: no"}]}, DRIVER, ["ok", "fail"]),
        (TORCH | {"devices": [DEVICE | {"bf16": False}]}, DRIVER, ["ok", "warn"]),
        (TORCH | {"cuda": None, "devices": []}, DRIVER | {"gpus": []}, ["ok"]),
    ],
)
def test_torch_against_the_driver(torch: dict[str, Any], driver: dict[str, Any], told: list[str]) -> None:
    assert levels(gpu.judged_torch(torch, driver, wanted=True, visible=None)) == told


def test_no_driver_is_a_failure_only_where_gpus_are_wanted() -> None:
    assert levels(gpu.judged_driver({"missing": True}, wanted=True)) == ["fail"]
    assert levels(gpu.judged_driver({"missing": True}, wanted=False)) == ["ok"]
    assert gpu.wants_gpu("auto") and gpu.wants_gpu(["cpu", "cuda:1"]) and not gpu.wants_gpu(["cpu", "cpu"])


def test_kernels_for_an_older_or_a_newer_gpu() -> None:
    assert gpu.architecture_fits([9, 0], ["sm_80", "sm_90a"])
    assert gpu.architecture_fits([8, 9], ["sm_80"])
    assert gpu.architecture_fits([12, 0], ["sm_90", "compute_90"])
    assert not gpu.architecture_fits([12, 0], ["sm_90"])
    assert not gpu.architecture_fits([7, 0], ["sm_75", "compute_80"])


@pytest.mark.parametrize(
    ("size", "running", "level"), [(10, False, "ok"), (50, False, "warn"), (50, True, "ok"), (90, True, "fail")]
)
def test_weights_against_the_memory(size: int, running: bool, level: str) -> None:
    card = {"index": 0, "free": 40, "total": 80, "users": [{"pid": 7, "bytes": 40}]}
    found = gpu.judged_room(card, ("m", size), running)
    assert found.level == level and "pid 7" in found.found


def test_bitsandbytes() -> None:
    facts = {"version": "1", "device": "cpu", "error": 0.145}
    assert gpu.judged_bitsandbytes(facts).level == "ok"
    for error in (0.9, float("nan")):
        assert gpu.judged_bitsandbytes(facts | {"error": error}).level == "warn"


# --- models ------------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_folder(), tmp_path / "model"))


def write_weights(path: Path, shape: list[int], missing: int = 0) -> None:
    size = 4 * shape[0] * shape[1]
    header = json.dumps({path.stem: {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size - missing))


def test_a_whole_checkpoint_and_what_its_weights_take(checkpoint: Path) -> None:
    found = models.judged("model m", checkpoint, ModelSettings(path=str(checkpoint), precision="fp32"))
    assert (found.level, models.weight_bytes(checkpoint, "fp32")) == ("ok", 2 * models.weight_bytes(checkpoint, "auto"))
    (weights,) = checkpoint.glob("*.safetensors")
    weights.unlink()
    write_weights(weights, [3, 5])
    assert models.weight_bytes(checkpoint, "bf16") == 30


def test_weights_are_counted_as_a_card_would_have_them(checkpoint: Path, tmp_path: Path) -> None:
    """The demo model's figures are known; of another one the files tell."""
    on = [models.weights_on(checkpoint, precision, 10**12, tmp_path / "none") for precision in ("auto", "bf16", "nf4")]
    assert on[0] == on[1] > on[2]
    assert models.weights_on(checkpoint, "auto", 1, tmp_path / "none") == on[2], "where nothing else fits"
    (checkpoint / "config.json").write_text('{"architectures": ["Idefics3ForConditionalGeneration"]}')
    on = [models.weights_on(checkpoint, precision, 10**12, tmp_path / "none") for precision in ("bf16", "int8", "nf4")]
    assert on == [on[0], on[0] // 2, on[0] // 4]


def spoil(checkpoint: Path, how: str) -> None:
    weights = checkpoint / "model.safetensors"
    if how == "cut":
        os.truncate(weights, weights.stat().st_size - 1)
    if how == "text":
        weights.write_text("<html>404</html>")
    if how == "pickle":
        weights.rename(checkpoint / "pytorch_model.bin")
    if how == "shards":
        weights.unlink()
        index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
        (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    if how == "code":
        (checkpoint / "modeling_x.py").write_text("print('hello')")
    if how in ("family", "code"):
        config = json.loads((checkpoint / "config.json").read_text()) | {"architectures": ["Unheard"]}
        (checkpoint / "config.json").write_text(json.dumps(config))
    if how == "config":
        (checkpoint / "config.json").unlink()
    if how == "tokenizer":
        (checkpoint / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("cut", "model.safetensors was cut off"),
        ("text", "is no safetensors file"),
        ("pickle", "pickles, which can run code"),
        ("shards", "2 of 2 weight files are missing, such as model-1.safetensors"),
        ("code", "code of its own"),
        ("family", "no family for Unheard"),
        ("config", "holds no config.json"),
        ("tokenizer", "no tokenizer"),
    ],
)
def test_a_checkpoint_that_cannot_be_used(checkpoint: Path, how: str, told: str) -> None:
    spoil(checkpoint, how)
    found = models.judged("model m", checkpoint, ModelSettings(path=str(checkpoint)))
    assert found.level == "fail" and told in found.found and found.remedy


# --- folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "level"), [(0o755, "ok"), (0o2775, "ok"), (0o775, "warn"), (0o777, "warn"), (0o1777, "warn")]
)
def test_the_inbox_is_for_a_group_at_most(tmp_path: Path, mode: int, level: str) -> None:
    tmp_path.chmod(mode)
    assert folders.judged_folder("inbox", tmp_path).level == level


@pytest.mark.parametrize(("mode", "level"), [(0o700, "ok"), (0o750, "warn"), (0o770, "fail"), (0o707, "fail")])
def test_the_state_is_for_vlmd_alone(tmp_path: Path, mode: int, level: str) -> None:
    tmp_path.chmod(mode)
    assert folders.judged_private("state", tmp_path).level == level


def test_what_is_not_there_or_no_folder(tmp_path: Path) -> None:
    assert folders.judged_folder("inbox", tmp_path / "nothing").level == "warn"
    (tmp_path / "file").touch()
    assert folders.judged_folder("results", tmp_path / "file").level == "fail"


def test_room_and_notices() -> None:
    free = [10, 100 << 20, 10 << 30]
    assert [folders.judged_room("results", "x", count, True).level for count in free] == ["fail", "warn", "ok"]
    assert folders.judged_room("inbox", "x", 10, False).level == "ok"
    assert folders.judged_notices(8192, 16384, 100).level == "ok"
    assert "max_user_watches=524288" in (folders.judged_notices(8192, 16384, 8000).remedy or "")


# --- the rest ----------------------------------------------------------------------------------------------


def test_kernel_and_clock() -> None:
    assert [system.judged_kernel("Linux", release).level for release in ("5.10.0-8-amd64", "5.13", "6.8.0")] == [
        "fail",
        "ok",
        "ok",
    ]
    assert system.judged_kernel("Darwin", "23").level == "fail"
    assert [system.judged_clock(year).level for year in (1970, 2031)] == ["warn", "ok"]


@pytest.mark.parametrize(
    ("ffmpeg", "level"), [("8.1.2", "ok"), ("n8.2", "ok"), ("8.1.1", "fail"), ("7.1", "fail"), ("git-2026", "warn")]
)
def test_ffmpeg(ffmpeg: str, level: str) -> None:
    assert decoding.judged_version("18", ffmpeg).level == level


def test_systemd() -> None:
    running = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
    assert service.judged_unit(running).level == "ok"
    assert service.judged_unit(running | {"ActiveState": "failed"}).level == "fail"
    assert service.judged_unit(running | {"UnitFileState": "disabled"}).level == "warn"
    assert service.judged_unit({"LoadState": "not-found"}).level == "ok"


def test_a_daemon_of_another_version() -> None:
    setting = Setting(parse_settings({}), {}, {"version": "0.0.1", "pid": 1, "uptime_s": 1.0})
    assert levels(service.daemon(setting)) == ["fail"]


async def test_databases(tmp_path: Path) -> None:
    path = tmp_path / "vlmd.db"
    assert "not there yet" in database.judged(path).found
    await (await Store.open(path)).close()
    assert database.judged(path).level == "ok"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    assert "install the newer vlmd" in (database.judged(path).remedy or "")
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 40_000)
    found = database.judged(path)
    assert found.level == "fail" and "damaged" in found.found and ".recover" in (found.remedy or "")


def test_a_check_that_fails_itself_is_told_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(setting: Setting) -> list[Finding]:
        raise ZeroDivisionError

    monkeypatch.setattr(registry, "CHECKS", (("odd", broken), ("kernel", system.kernel)))
    looked: list[str] = []
    found = registry.examine(Setting(parse_settings({}), {}, None), looked.append)
    assert [finding.check for finding in found] == looked == ["odd", "kernel"]
    assert found[0].level == "fail" and "ZeroDivisionError" in found[0].found


def test_a_model_that_the_daemon_cannot_load_is_told_of_in_its_words(tmp_path: Path) -> None:
    settings = parse_settings({"paths": {"state": str(tmp_path)}})
    unloadable = {"model": "m", "reason": "/m: no file named model.safetensors", "remedy": "fetch it again"}
    status = {"version": __version__, "pid": 1, "uptime_s": 5.0, "unloadable": [unloadable]}
    _, found = service.daemon(Setting(settings, {}, status))
    assert (found.level, found.check, found.remedy) == ("fail", "loading m", "fetch it again")
    assert found.found == "the daemon cannot load it: /m: no file named model.safetensors"
