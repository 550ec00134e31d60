"""What is wrong with a LoRA adapter for a checkpoint, as far as the files of both tell.

Names of modules differ between versions of transformers, so a module is known by where it lies in its layer. That
every weight has exactly its place is seen at load (`worker/adapters.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmd.core.errors import Code
from vlmd.core.faults import Fault
from vlmd.weights.checkpoint import Checkpoint
from vlmd.weights.headers import BadWeights, Tensor, header

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
_COPY = "copy the adapter again, all that peft saved"
_PART = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<half>[AB])(?:\.default)?\.weight")
_IN_LAYER = re.compile(r"[A-Za-z_]\w*\.\d+\..+")
_OTHER = "name an adapter that was trained on this checkpoint, or the checkpoint that it was trained on"

Halves = dict[str, Tensor]
"""The two factors of one module, A (rank, in) and B (out, rank)."""


def faults_of_adapter(folder: Path, base: Checkpoint) -> list[Fault]:
    """All that keeps it from being laid over `base`."""
    return [Fault(fault.code, f"adapter {folder}: {fault.found}", fault.remedy) for fault in _faults(folder, base)]


def _faults(folder: Path, base: Checkpoint) -> Iterator[Fault]:
    if not (folder / CONFIG).is_file():
        remedy = "name the folder that peft saved"
        yield Fault(Code.MODEL_MISSING, f"it holds no {CONFIG}", remedy)
    elif not (folder / WEIGHTS).is_file():
        yield _no_weights(folder)
    else:
        yield from _in_files(folder, base)


def _no_weights(folder: Path) -> Fault:
    if (folder / PICKLE).exists():
        return Fault(Code.MODEL_UNSAFE, "its weights are pickles, which can run code", "save them as safetensors")
    return Fault(Code.MODEL_DAMAGED, f"it holds no {WEIGHTS}", _COPY)


def _in_files(folder: Path, base: Checkpoint) -> Iterator[Fault]:
    try:
        config = json.loads((folder / CONFIG).read_text())
        kind = config["peft_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        yield Fault(Code.MODEL_DAMAGED, f"{CONFIG} makes no sense ({type(error).__name__}: {error})", _COPY)
        return
    if kind != "LORA":
        yield Fault(Code.INCOMPATIBLE_VERSION, f"it is of kind {kind}", "vlmd lays LoRA adapters over a model only")
        return
    try:
        modules = _modules(header(folder / WEIGHTS))
    except BadWeights as error:
        yield Fault(Code.MODEL_DAMAGED, str(error), _COPY)
        return
    yield from _not_of_one_training(config, modules)
    yield from _not_of(base, config, modules)


def _modules(tensors: Mapping[str, Tensor]) -> dict[str, Halves]:
    """The modules that the adapter changes."""
    modules: dict[str, Halves] = {}
    for name, tensor in tensors.items():
        if match := _PART.fullmatch(name):
            modules.setdefault(match["module"], {})[match["half"]] = tensor
    return modules


def _not_of_one_training(config: Mapping[str, Any], modules: dict[str, Halves]) -> Iterator[Fault]:
    """Config and weights tell of different adapters, or weights are missing."""
    if not modules:
        yield Fault(Code.MODEL_DAMAGED, f"{WEIGHTS} holds no LoRA weights", _COPY)
    for module, halves in modules.items():
        if halves.keys() != {"A", "B"} or halves["A"].shape[:1] != halves["B"].shape[1:2]:
            yield Fault(Code.MODEL_DAMAGED, f"half of its weights for {module} are missing", _COPY)
            return
    targets = config.get("target_modules")
    named = targets if isinstance(targets, list) else []
    for target in named:
        if modules and not any(module == target or module.endswith(f".{target}") for module in modules):
            found = f"{CONFIG} says that it changes {target}, and its weights do not"
            yield Fault(Code.MODEL_DAMAGED, found, _COPY)
            return


def _not_of(base: Checkpoint, config: Mapping[str, Any], modules: dict[str, Halves]) -> Iterator[Fault]:
    """Modules that the checkpoint does not have, or has in another shape."""
    try:
        shapes = _shapes(base)
    except BadWeights:  # told of the checkpoint itself
        return
    for module, halves in modules.items():
        place = _IN_LAYER.search(module)
        if place is None or halves.keys() != {"A", "B"}:
            continue
        wanted = (*halves["B"].shape[:1], *halves["A"].shape[1:2])
        there = shapes.get(place[0], set())
        if wanted not in there:
            yield Fault(Code.INCOMPATIBLE_VERSION, _misfit(module, wanted, there, config), _OTHER)
            return


def _shapes(base: Checkpoint) -> dict[str, set[tuple[int, ...]]]:
    """The shapes of the matrices at each place in a layer, of every tower."""
    shapes: dict[str, set[tuple[int, ...]]] = {}
    for name, tensor in base.tensors.items():
        place = _IN_LAYER.search(name.removesuffix(".weight"))
        if name.endswith(".weight") and place is not None:
            shapes.setdefault(place[0], set()).add(tensor.shape)
    return shapes


def _misfit(module: str, wanted: tuple[int, ...], there: set[tuple[int, ...]], config: Mapping[str, Any]) -> str:
    trained = config.get("base_model_name_or_path")
    other = f"it was made for another model{f', {trained}' if trained else ''}"
    if not there:
        return f"{other}: this one has no {module}"
    return f"{other}: {module} is {_edges(wanted)} there and {' or '.join(map(_edges, sorted(there)))} here"


def _edges(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
