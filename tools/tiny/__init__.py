"""Tiny checkpoints: one module a family, with `make(folder)`, or several makers where an architecture has variants."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

MAKERS = {
    "gemma3n": "gemma3n:make",
    "idefics2": "idefics2:make",
    "idefics3": "idefics3:make",
    "instructblip": "instructblip:make",
    "internvl": "internvl:make",
    "llava-mistral": "llava_next:make_mistral",
    "llava-vicuna": "llava_next:make_vicuna",
    "phi3v": "phi3v:make",
    "qwen2.5-vl-3b": "qwen:make_2_5_3b",
    "qwen2.5-vl-7b": "qwen:make_2_5_7b",
    "qwen3-vl-4b": "qwen:make_3_4b",
    "qwen3-vl-8b": "qwen:make_3_8b",
    "smolvlm2": "smolvlm2:make",
}
"""Name of a checkpoint → module and function."""


def make(name: str, folder: Path) -> None:
    """Write the checkpoint `name` into `folder`, which is made."""
    module, function = MAKERS[name].split(":")
    folder.mkdir(parents=True, exist_ok=True)
    getattr(import_module(f"tiny.{module}"), function)(folder)
