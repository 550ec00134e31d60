"""A checkpoint's folder as facts, and the faults in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from vlmd.core import families
from vlmd.core.hub_names import is_hub_name, is_revision, name_to_use
from vlmd.weights import BadWeights, NoCheckpoint, demo_folder, faults_of, judging, read_checkpoint, stored
from vlmd.weights.hub.listing import is_loaded


def write_weights(path: Path, tensors: dict[str, Any] | None = None, extra: int = 0) -> None:
    tensors = tensors or {path.stem: {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    size = max(tensor["data_offsets"][1] for tensor in tensors.values()) + extra
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = Path(shutil.copytree(demo_folder(), tmp_path / "model"))
    (copied / "model.safetensors").unlink()
    write_weights(copied / "model.safetensors")
    return copied


def index(folder: Path, *names: str) -> None:
    named = {str(number): name for number, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))


def configure(folder: Path, **changed: Any) -> None:
    config = json.loads((folder / "config.json").read_text()) | changed
    (folder / "config.json").write_text(json.dumps(config))


def test_facts(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    assert checkpoint.architecture == "Idefics3ForConditionalGeneration"
    (tensor,) = checkpoint.tensors.values()
    assert (tensor.dtype, tensor.shape, tensor.bytes, tensor.elements) == ("F16", (2, 3), 12, 6)
    assert {kind: (part.elements, part.bytes) for kind, part in stored([tensor]).items()} == {"F16": (6, 12)}
    assert faults_of(folder) == []


def test_weights_in_parts(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index(folder, "b.safetensors", "a.safetensors", "a.safetensors")
    for name in ("a", "b", "consolidated"):
        write_weights(folder / f"{name}.safetensors")
    assert [path.name for path in read_checkpoint(folder).weight_files] == ["a.safetensors", "b.safetensors"]
    (folder / "b.safetensors").unlink()
    with pytest.raises(BadWeights, match=r"1 of 2 weight files are missing, such as b\.safetensors"):
        _ = read_checkpoint(folder).weight_files


@pytest.mark.parametrize("name", ["../a.safetensors", "a.bin", ".a.safetensors", "a\0.safetensors", ""])
def test_an_index_that_names_no_file_beside_it(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    index(folder, name)
    with pytest.raises(BadWeights, match="no file beside it"):
        _ = read_checkpoint(folder).weight_files


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no safetensors file"),
        (b"\xff" * 99, "is no safetensors file"),
        ((9).to_bytes(8, "little") + b"[[[[[[[[[", "its header makes no sense"),
        ((2).to_bytes(8, "little") + b"{}x", "is damaged: it has 11 bytes and should have 10"),
        ((90).to_bytes(8, "little") + b"{}", "was cut off: it ends in the middle of its header"),
    ],
)
def test_weights_that_are_none(folder: Path, content: bytes, told: str) -> None:
    (folder / "model.safetensors").write_bytes(content)
    (fault,) = faults_of(folder)
    assert told in fault.found and "again" in fault.remedy


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{}", '{"architectures": []}', '{"architectures": [3]}', '{"architectures": null}', "[" * 99_999],
)
def test_a_config_that_names_no_architecture(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    with pytest.raises(NoCheckpoint):
        read_checkpoint(folder)
    assert "names no architecture" in str(faults_of(folder)[0]) or "is no JSON" in str(faults_of(folder)[0])


def test_code_that_comes_along_is_no_fault_where_there_is_a_family(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in microsoft/Phi-3.5-vision-instruct, once there is a family for it."""
    (folder / "modeling_phi3_v.py").write_text("raise SystemExit")
    configure(folder, architectures=["Phi3VForCausalLM"], auto_map={"AutoModel": "modeling_phi3_v.Phi3V"})
    monkeypatch.setattr(judging, "FAMILIES", {})
    assert "asks for code of its own, which vlmd never runs" in str(faults_of(folder)[0])
    monkeypatch.setattr(judging, "FAMILIES", families.FAMILIES)
    configure(folder, model_type="phi3_v")
    assert faults_of(folder) == []


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("OpenGVLab/InternVL3_5-4B", "take OpenGVLab/InternVL3_5-4B-HF, the same weights"),
        ("InternVL3_5-8B", "take OpenGVLab/InternVL3_5-8B-HF, the same weights"),
        ("mine", "whose name ends in -HF"),
    ],
)
def test_internvl_in_its_own_format_is_answered_with_the_other(folder: Path, name: str, instead: str) -> None:
    configure(folder, architectures=["InternVLChatModel"], auto_map={})
    (fault,) = faults_of(folder, name)
    assert "InternVLChatModel asks for code" in fault.found and instead in fault.remedy


def test_every_fault_is_told_at_once(folder: Path) -> None:
    configure(folder, architectures=["Unheard"])
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / "tokenizer.json").unlink()
    (folder / "processor_config.json").unlink()
    told = [fault.found for fault in faults_of(folder)]
    assert [phrase.split()[0:4] for phrase in told] == [
        ["vlmd", "has", "no", "family"],
        ["its", "weights", "are", "pickles,"],
        ["there", "is", "no", "tokenizer"],
        ["there", "is", "no", "processor"],
    ]


def test_names_of_the_hub() -> None:
    good = (
        "HuggingFaceM4/idefics2-8b",
        "a/b",
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
    )
    assert all(map(is_hub_name, good))
    assert not any(
        map(is_hub_name, ("a", "a/b/c", "/b", "a/", "../b", "a/..", "a--b/c", "a/.b", "a/b.", "a b/c", "ä/b"))
    )
    assert all(map(is_revision, ("main", "v1.0", "refs/pr/3", "a" * 40)))
    assert not any(map(is_revision, ("", "../x", "a..b", "/x", "x/", "a//b", "x y")))
    assert name_to_use("OpenGVLab/InternVL3-8B") == "OpenGVLab/InternVL3-8B-hf"
    assert name_to_use("OpenGVLab/InternVL3_5-30B-A3B") == "OpenGVLab/InternVL3_5-30B-A3B-HF"
    assert name_to_use("OpenGVLab/InternVL3_5-4B-HF") is None and name_to_use("a/b") is None


def test_what_of_a_repository_is_loaded() -> None:
    wanted = """config.json generation_config.json model.safetensors.index.json tokenizer.json tokenizer.model
        vocab.json merges.txt preprocessor_config.json processor_config.json video_preprocessor_config.json
        chat_template.json chat_template.jinja special_tokens_map.json added_tokens.json
        qformer_tokenizer/vocab.txt qformer_tokenizer/tokenizer.json additional_chat_templates/tool.jinja"""
    assert all(map(is_loaded, wanted.split()))
    left = """README.md modeling_phi3_v.py pytorch_model.bin pytorch_model.bin.index.json model.pth model.gguf
        onnx/model.onnx openvino_model.xml training_args.bin qformer_tokenizer/x.py other/config.json ../config.json
        qformer_tokenizer/../config.json flax_model.msgpack .gitattributes consolidated.safetensors"""
    assert not any(map(is_loaded, left.split()))
