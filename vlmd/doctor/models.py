"""Checkpoints: complete, without code or pickles in them, of a family that vlmd has; and what their weights take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmd.core.families import FAMILIES, known
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.supervisor.models import demo_folder

_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".msgpack", ".h5"}
_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_HEADER_BYTES = 100 << 20


class BadWeights(Exception):
    """A weights file that is not what it should be; one sentence."""


def configured(setting: Setting) -> list[Finding]:
    """The models that pipelines use."""
    settings = setting.settings
    if not settings.pipelines:
        return [warn("models", "no pipeline is configured", "add a model and a pipeline to config.toml")]
    used = sorted({pipeline.model for pipeline in settings.pipelines.values()})
    return [judged(f"model {name}", folder_of(setting, name), settings.models[name].precision) for name in used]


def folder_of(setting: Setting, name: str) -> Path:
    model = setting.settings.models[name]
    return demo_folder() if model.is_demo else Path(model.path)


def judged(check: str, folder: Path, precision: str) -> Finding:
    """A checkpoint's folder: all that is wrong with it, in one line."""
    try:
        config = json.loads((folder / "config.json").read_text())
        architecture = str(config["architectures"][0])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        remedy = "set its path to the folder that holds config.json and *.safetensors, as downloaded"
        return fail(check, f"{folder} is no checkpoint ({type(error).__name__}: {error})", remedy)
    problems = list(_problems(folder, config, architecture))
    if problems:
        return fail(check, f"{folder}: {'; '.join(problems)}", "download the checkpoint again, all of its files")
    size = weight_bytes(folder, precision)
    return ok(check, f"{folder}: {architecture}, {size / 1e9:.1f} GB of weights as {precision}")


def _problems(folder: Path, config: dict[str, Any], architecture: str) -> Iterator[str]:
    if architecture not in FAMILIES:
        yield f"vlmd has no family for {architecture}, only for {known()}"
    if "auto_map" in config or list(folder.glob("*.py")):
        yield "it brings code of its own, which vlmd never runs"
    try:
        for path in weight_files(folder):
            tensors(path)
    except BadWeights as error:
        yield str(error)
    if not any((folder / name).exists() for name in _TOKENIZERS):
        yield f"there is no tokenizer ({', '.join(_TOKENIZERS)})"
    if not any((folder / name).exists() for name in _PROCESSORS):
        yield f"there is no processor ({', '.join(_PROCESSORS)})"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a checkpoint, all of those its index names. Raises `BadWeights`."""
    index = folder / _INDEX
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise BadWeights(f"{_INDEX} cannot be read ({error})") from error
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise BadWeights(f"{len(missing)} of {len(names)} weight files are missing, such as {missing[0]}")
        return [folder / name for name in names]
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickled = any(path.suffix in _PICKLES for path in folder.iterdir())
        raise BadWeights("its weights are pickles, which can run code: only safetensors are read" if pickled
                         else "there are no weights (*.safetensors)")  # fmt: skip
    return found


def tensors(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, checked against the file's size. Raises `BadWeights`."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length < _HEADER_BYTES:
                raise BadWeights(f"{path.name} is no safetensors file")
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadWeights(f"{path.name} cannot be read ({type(error).__name__})") from error
    if path.stat().st_size != 8 + length + end:
        raise BadWeights(f"{path.name} has {path.stat().st_size} bytes and should have {8 + length + end}")
    return header


def weight_bytes(folder: Path, precision: str) -> int:
    """What the weights take in memory: their numbers times the bytes of one; "auto" counts two, as on GPUs."""
    each = _BYTES.get(precision, 2)
    shapes = [tensor["shape"] for path in weight_files(folder) for tensor in tensors(path).values()]
    return sum(math.prod(shape) * each for shape in shapes)
