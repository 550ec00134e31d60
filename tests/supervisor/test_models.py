"""What a checkpoint's files say of its size."""

from __future__ import annotations

import json
from pathlib import Path

from vlmd.config import Settings, parse_settings
from vlmd.supervisor.models import model_spec

TENSORS = {
    "a": {"dtype": "F32", "shape": [10, 10], "data_offsets": [0, 400]},
    "b": {"dtype": "U8", "shape": [7], "data_offsets": [400, 407]},
}


def weights(path: Path, tensors: dict[str, object]) -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(407))


def size(folder: Path, precision: str = "bf16") -> int:
    (folder / "config.json").write_text('{"architectures": ["Any"]}')
    return model_spec("m", configured(folder, path=str(folder), precision=precision)).weight_bytes


def configured(state: Path, **model: str) -> Settings:
    return parse_settings({"paths": {"state": str(state / ".state")}, "models": {"m": model}})


def test_one_file(tmp_path: Path) -> None:
    weights(tmp_path / "model.safetensors", TENSORS)
    assert (size(tmp_path), size(tmp_path, "fp32")) == (207, 407)


def test_of_several_files_those_that_the_index_names(tmp_path: Path) -> None:
    for name in ("one.safetensors", "two.safetensors", "consolidated.safetensors"):
        weights(tmp_path / name, {f"{name}.{tensor}": facts for tensor, facts in TENSORS.items()})
    named = {"weight_map": {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(named))
    assert size(tmp_path) == 414


def test_what_cannot_be_read_is_left_to_the_worker_to_say(tmp_path: Path) -> None:
    assert size(tmp_path) == 0
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 99)
    assert size(tmp_path) == 0
    weights(tmp_path / "model.safetensors", {"a": {"dtype": "F32"}})
    assert size(tmp_path) == 0
    weights(tmp_path / "model.safetensors", TENSORS | {"a": TENSORS["a"] | {"data_offsets": [0, 500]}})
    assert size(tmp_path) == 0


def test_the_demo_model(tmp_path: Path) -> None:
    demo = model_spec("m", configured(tmp_path, path="vlmd-demo"))
    assert 500_000 < demo.weight_bytes < 10_000_000
