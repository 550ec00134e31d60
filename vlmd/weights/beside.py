"""What lies beside a checkpoint's weights: small files that have to be there, be read, and show images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmd.core.errors import Code
from vlmd.core.families import FAMILIES
from vlmd.core.faults import Fault
from vlmd.weights.checkpoint import Checkpoint

AGAIN = "fetch or copy the checkpoint again, all of its files"
_READ = (
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.json",
)
"""What is read as JSON where it is there."""


def faults_beside(checkpoint: Checkpoint) -> Iterator[Fault]:
    """Files that make no sense, a processor without the part for images, a chat template that shows none."""
    read: dict[str, Any] = {}
    for name in _READ:
        if name in checkpoint.names:
            try:
                read[name] = _object(checkpoint.folder / name)
            except (OSError, ValueError, RecursionError) as error:
                yield Fault(Code.MODEL_DAMAGED, f"{name} makes no sense ({error})", AGAIN)
    yield from _image_processor(checkpoint, read)
    entry = FAMILIES.get(checkpoint.architecture)
    if entry is None:
        return
    for folder in entry.needs:
        if not (checkpoint.folder / folder).is_dir():
            yield Fault(
                Code.MODEL_DAMAGED, f"there is no folder {folder}, which {checkpoint.architecture} needs", AGAIN
            )
    if entry.templated:
        yield from _chat_template(checkpoint, read)


def _image_processor(checkpoint: Checkpoint, read: dict[str, Any]) -> Iterator[Fault]:
    """Published either as a file of its own or inside the processor's."""
    name = "processor_config.json"
    if "preprocessor_config.json" not in checkpoint.names and name in read and "image_processor" not in read[name]:
        yield Fault(
            Code.MODEL_DAMAGED, f"there is no preprocessor_config.json, and {name} tells nothing of images", AGAIN
        )


def _chat_template(checkpoint: Checkpoint, read: dict[str, Any]) -> Iterator[Fault]:
    """Every template that shows images says so by that word; whether it shows each is seen at load."""
    jinja = "chat_template.jinja"
    if jinja in checkpoint.names:
        text: Any = (checkpoint.folder / jinja).read_text(errors="replace")
    elif "chat_template.json" in checkpoint.names:
        text = read.get("chat_template.json", {}).get("chat_template", "image")
    else:
        text = read.get("tokenizer_config.json", {}).get("chat_template")
    remedy = "put the chat_template.json or .jinja of the checkpoint that it was made from beside its weights"
    if text is None:
        yield Fault(Code.MODEL_DAMAGED, "there is no chat template (chat_template.json, chat_template.jinja)", remedy)
    elif "image" not in str(text):
        yield Fault(Code.MODEL_DAMAGED, "its chat template shows no images", remedy)


def _object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text())
    if not isinstance(found, dict):
        raise ValueError("it holds no JSON object")
    return found
