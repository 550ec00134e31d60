"""Checkpoints of real dimensions: the published configuration, random weights, and a tiny checkpoint's tokenizer.

Answers mean nothing; time and memory are those of the real model, and the files go through the same loading code.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from tiny import make

from vlmd.worker import models

TINY = {
    "HuggingFaceM4/idefics2-8b": "idefics2",
    "llava-hf/llava-v1.6-mistral-7b-hf": "llava-mistral",
    "llava-hf/llava-v1.6-vicuna-7b-hf": "llava-vicuna",
    "Qwen/Qwen2.5-VL-3B-Instruct": "qwen2.5-vl-3b",
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl-7b",
    "Qwen/Qwen3-VL-4B-Instruct": "qwen3-vl-4b",
    "OpenGVLab/InternVL3_5-4B-HF": "internvl",
    "google/gemma-3n-E2B-it": "gemma3n",
    "Salesforce/instructblip-vicuna-7b": "instructblip",
    "microsoft/Phi-3.5-vision-instruct": "phi3v",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "smolvlm2",
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": "smolvlm2",
}
"""Published name → the tiny checkpoint whose tokenizer, chat template and files it gets."""
SHARD = "4GB"


def write(name: str, folder: Path, device: str, layers: int | None = None) -> None:
    """Make a checkpoint of `name`'s dimensions in `folder`; `layers` shortens the language model, for a trial."""
    make(TINY[name], folder)
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.index.json")):
        path.unlink()
    published = Path(str(resources.files("vlmd.catalog"))) / name.replace("/", "--")
    for path in published.glob("*processor*.json"):
        shutil.copy(path, folder / path.name)
    tiny, real = (json.loads((place / "config.json").read_text()) for place in (folder, published))
    config = merged(tiny, real)
    if layers is not None:
        config.get("text_config", config)["num_hidden_layers"] = layers
    (folder / "config.json").write_text(json.dumps(config))
    _write_weights(folder, config["architectures"][0], device)


def merged(tiny: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, Any]:
    """The published configuration with the tiny tokenizer's ids of special tokens."""
    result: dict[str, Any] = {}
    for key in [*tiny, *(key for key in published if key not in tiny)]:
        ours, theirs = tiny.get(key), published.get(key)
        if key.endswith(("token_id", "token_index", "eos_token_ids")) and key in tiny:
            result[key] = ours
        elif isinstance(theirs, Mapping):
            result[key] = merged(ours if isinstance(ours, Mapping) else {}, theirs)
        elif key in published:
            result[key] = theirs
        elif key in ("architectures", "model_type", "auto_map"):
            result[key] = ours
    return result


def _write_weights(folder: Path, architecture: str, device: str) -> None:
    """As transformers initialises them, in bfloat16, a few gigabytes a file."""
    family = models.family(architecture)
    config = family.read_config(folder)
    torch.manual_seed(0)
    with torch.device(device):
        model = family.auto_class.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size=SHARD)
    del model
    if device != "cpu":
        torch.cuda.empty_cache()
