"""What a checkpoint takes and gives, from its configuration alone: `python -m vlmd.worker.figures < folders.json`.

Stdin holds a JSON list of folders; stdout gets a line of JSON for each: its `figures`, or the `problem` it has, one
sentence. The model is built without memory behind its weights (torch's meta device), which need not be there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from transformers.quantizers.quantizers_utils import should_convert_module

from vlmd.core.errors import Code, WorkerError
from vlmd.core.families import family_name
from vlmd.core.figures import Figures
from vlmd.worker import models
from vlmd.worker.loading import architecture, skipped
from vlmd.worker.sizing import processing

_UNKNOWN_VISION = 97
"""Numbers for each pixel where the configuration of a vision tower does not tell its widths: CLIP's, its large one."""


def figures_of(folder: str) -> Figures:
    """Raises `WorkerError` where there is no family for it, or its files do not make a model."""
    named = architecture(folder)
    family = models.family(named)
    try:
        config = family.read_config(Path(folder))
        sizes, preferred = family.sizes(config, processing(Path(folder)))
        model = _empty(family, config)
        text = family.text_config(config)
        return Figures(
            architecture=named,
            family=family_name(named),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            quantizable=sum(parameter.numel() for parameter in _quantizable(model, skipped(family.unquantized))),
            layers=int(text.num_hidden_layers),
            hidden=int(text.hidden_size),
            intermediate=_widest(text.intermediate_size),
            vocabulary=int(text.vocab_size),
            kv_elements=family.kv_elements(config),
            context=family.context(config),
            sizes=sizes,
            preferred=preferred,
            vision=_vision(config),
            shared=family.shared,
        )
    except WorkerError:
        raise
    except Exception as error:  # a configuration may say anything
        reason = f"{folder}: its configuration makes no {named}: {type(error).__name__}: {error}"
        raise WorkerError(Code.MODEL_CANNOT_LOAD, " ".join(reason.split())[:500]) from error


def _empty(family: Any, config: Any) -> torch.nn.Module:
    with torch.device("meta"):
        model: torch.nn.Module = family.auto_class.from_config(config, dtype=torch.bfloat16)
    return model


def _quantizable(model: torch.nn.Module, spared: list[str]) -> Iterator[torch.nn.Parameter]:
    """By the rule with which transformers puts bitsandbytes' layers into a model; biases stay as they are."""
    spared = [*spared, *(getattr(model, "_keep_in_fp32_modules", None) or ())]
    for name, module in model.named_modules():
        if type(module) is torch.nn.Linear and should_convert_module(name, spared):
            yield module.weight


def _widest(size: Any) -> int:
    """Of layers that differ in width."""
    return int(max(size)) if isinstance(size, (list, tuple)) else int(size)


def _vision(config: Any) -> int:
    vision = getattr(config, "vision_config", None)
    hidden, between = (getattr(vision, name, None) for name in ("hidden_size", "intermediate_size"))
    patch = getattr(vision, "patch_size", None)
    side = patch[0] if isinstance(patch, (list, tuple)) else patch
    if not (hidden and between and side):
        return _UNKNOWN_VISION
    return 3 + int(6 * hidden + 3 * between) // int(side * side)


def main() -> None:
    """Whatever libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        transformers.utils.logging.set_verbosity_error()
        for folder in json.load(sys.stdin):
            out.write(json.dumps({"folder": folder, **_said(folder)}) + "\n")
            out.flush()


def _said(folder: str) -> dict[str, Any]:
    try:
        return {"figures": msgspec.to_builtins(figures_of(folder))}
    except WorkerError as error:
        return {"problem": error.failure.reason}


if __name__ == "__main__":
    main()
