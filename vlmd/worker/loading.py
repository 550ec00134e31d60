"""From a checkpoint's folder to a model on its device: weights that fit exactly, quantized but for what must not be."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import AutoTokenizer, BitsAndBytesConfig
from transformers.utils import is_flash_attn_2_available

from vlmd.core.abilities import Card, can_flash
from vlmd.core.errors import Code, WorkerError
from vlmd.weights import NoCheckpoint, installed, read_checkpoint
from vlmd.worker.load_failures import written_by_newer

FLOATS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
QUANTIZED = ("nf4", "int8")
_NAMED = 3
_COUNTED = ("position_ids", "inv_freq")
"""Buffers that old checkpoints hold; they follow from config.json."""
_TEMPLATE = "put the chat template of the checkpoint that it was made from beside its weights, then `vlmd resume`"


def card_of(device: str) -> Card:
    """What a torch device is called, and its compute capability."""
    if not device.startswith("cuda"):
        return Card("a CPU", None)
    return Card(torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device))


@dataclass(frozen=True)
class Checkpoint:
    """Which weights, and how they are wanted."""

    path: str
    precision: str
    """nf4, int8, bf16, fp16 or fp32: what "auto" means is decided before."""
    dtype: torch.dtype
    """The precision of the arithmetic, and of everything that is not quantized."""
    device: str
    """A torch device, such as cuda:0 or cpu; with meta everything is tried but reading the weights."""
    devices: int = 1
    """GPUs the layers are spread over; with more than one, all that are visible."""
    attention: str = "auto"
    adapter: str | None = None


def architecture(path: str) -> str:
    """The architecture a checkpoint's config.json names."""
    try:
        return read_checkpoint(Path(path)).architecture
    except NoCheckpoint as error:
        raise WorkerError(Code.MODEL_MISSING, str(error)) from error


def load_tokenizer(checkpoint: Checkpoint, folder: str = "") -> Any:
    """The tokenizer in the checkpoint, or in a folder of it, with the checkpoint's chat template."""
    tokenizer = AutoTokenizer.from_pretrained(
        Path(checkpoint.path) / folder, local_files_only=True, trust_remote_code=False
    )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.chat_template = _processor_template(Path(checkpoint.path)) or tokenizer.chat_template
    return tokenizer


def _processor_template(folder: Path) -> str | None:
    """The chat template of the processor, which knows of images; the tokenizer's own may not."""
    if (path := folder / "chat_template.jinja").exists():
        return path.read_text()
    if (path := folder / "chat_template.json").exists():
        return str(json.loads(path.read_text())["chat_template"])
    return None


def load_model(
    auto_class: Any, checkpoint: Checkpoint, unquantized: Sequence[str], progress: Callable[[str], None]
) -> Any:
    """Raises `WorkerError` when a weight is missing, left over, misshapen, or quantized against its family's wish."""
    progress("weights")
    model, report = auto_class.from_pretrained(
        checkpoint.path,
        dtype=checkpoint.dtype,
        device_map="balanced" if checkpoint.devices > 1 else {"": checkpoint.device},
        quantization_config=_quantization(checkpoint, unquantized),
        attn_implementation=_attention(checkpoint),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # only so that the refusal below can name them
    )
    _refuse_misfits(checkpoint.path, report)
    _check_quantized(model, checkpoint, unquantized)
    return model.eval()


def skipped(unquantized: Sequence[str]) -> list[str]:
    """What keeps its precision where a model is quantized."""
    return [*unquantized, "lm_head"]


def _quantization(checkpoint: Checkpoint, unquantized: Sequence[str]) -> BitsAndBytesConfig | None:
    if checkpoint.precision == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=checkpoint.dtype,
            llm_int8_skip_modules=skipped(unquantized),
        )
    if checkpoint.precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped(unquantized))
    return None


def _attention(checkpoint: Checkpoint) -> str | None:
    """transformers' name for it; None takes the fastest that every part of the model has."""
    if checkpoint.attention in ("auto", "flash"):
        able = can_flash(checkpoint.precision, card_of(checkpoint.device), installed()) and is_flash_attn_2_available()
        return "flash_attention_2" if able else None
    return checkpoint.attention


def _refuse_misfits(path: str, report: dict[str, Any]) -> None:
    """A weight that is missing, left over or misshapen means another model than the checkpoint says."""
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if keys := sorted(key for key in map(str, report.get(kind) or ()) if not key.endswith(_COUNTED)):
            more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
            found = (
                f"its weights are not those of its config.json: {kind.replace('_', ' ')}: {', '.join(keys[:_NAMED])}"
            )
            raise WorkerError(Code.MODEL_DAMAGED, f"{path}: {found}{more}{written_by_newer(Path(path))}")


def refuse_blind(path: str, chat: Callable[[str, int], str], mark: str) -> None:
    """A chat template that drops images would have every question answered unseen. Raises `WorkerError`."""
    try:
        shown = chat("?", 2).count(mark)
    except (TemplateError, ValueError, TypeError) as error:
        raise WorkerError(
            Code.MODEL_DAMAGED, f"{path}: its chat template cannot be used: {error}", _TEMPLATE
        ) from error
    if shown != 2:
        raise WorkerError(Code.MODEL_DAMAGED, f"{path}: its chat template shows {shown} of 2 images", _TEMPLATE)


def quantized_modules(model: Any) -> set[str]:
    """Full names of the modules whose weights bitsandbytes holds."""
    return {name for name, module in model.named_modules() if type(module).__name__ in ("Linear4bit", "Linear8bitLt")}


def _check_quantized(model: Any, checkpoint: Checkpoint, unquantized: Sequence[str]) -> None:
    """bitsandbytes ignores a path that it does not find, and quantizes what should have been left alone."""
    found = quantized_modules(model)
    wrong = sorted(name for name in found if any(below(name, path) for path in unquantized))
    names = [name for name, _ in model.named_modules()]
    unknown = [path for path in unquantized if not fnmatch.filter(names, path)]
    if wrong or unknown:
        reason = f"{', '.join(wrong[:3])} is quantized" if wrong else f"it has no module {', '.join(unknown)}"
        raise WorkerError(Code.MODEL_CANNOT_LOAD, f"{checkpoint.path}: {reason}; the family's list does not fit it")
    if bool(found) != (checkpoint.precision in QUANTIZED):
        raise WorkerError(Code.MODEL_CANNOT_LOAD, f"{checkpoint.path}: {len(found)} modules are quantized, "
                          f"and {checkpoint.precision} was asked for")  # fmt: skip


def below(name: str, path: str) -> bool:
    """Whether a module is the one at `path`, or a part of it; an asterisk in the path stands for every layer."""
    return fnmatch.fnmatchcase(name, path) or fnmatch.fnmatchcase(name, f"{path}.*")
