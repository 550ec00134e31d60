"""Tiny Phi-3.5-Vision models, and what they are asked: for the tests of `worker/models/phi3v`."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import phi3v as tiny
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlmd.worker.models.phi3v.modeling import Phi3VForCausalLM

SWITCH = 64
EXACT = 2e-5


def load(folder: Path, **options) -> tuple[Phi3VForCausalLM, dict[str, set[str]]]:
    """The model, and what its report names."""
    model, report = Phi3VForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, use_safetensors=True, local_files_only=True, **options
    )
    model.config.image_token_id = 8
    model.generation_config.eos_token_id = None
    return model.eval(), {kind: set(map(str, found)) for kind, found in report.items() if found}


def pictures(count: int, seed: int = 0) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Squares of `count` pictures, by turns of one and of two squares beside the whole."""
    random = torch.Generator().manual_seed(seed)
    squares = [torch.randn(2 + index % 2, 3, tiny.TILE, tiny.TILE, generator=random) for index in range(count)]
    return squares, torch.tensor([[tiny.TILE, tiny.TILE * (1 + index % 2)] for index in range(count)])


def prompt(length: int, shown: int, seed: int = 0) -> torch.Tensor:
    """(1, length) random tokens; from the third on, the places of `shown` pictures and a token between them."""
    ids = torch.randint(300, 380, (length,), generator=torch.Generator().manual_seed(100 + seed))
    at = 2
    for index in range(shown):
        tokens = (1 + index % 2 + 1) * 4 + 1 + 2 * 2
        ids[at : at + tokens] = 8
        at += tokens + 1
    assert at < length
    return ids[None]


def encode(model, shown: int, seed: int = 0, order: int = 1) -> dict:
    """What a family hands over: pictures encoded one by one."""
    squares, sizes = pictures(shown, seed)
    features = [
        model.get_image_features([values], size[None]).pooler_output[0]
        for values, size in zip(squares, sizes, strict=True)
    ]
    return {"image": BaseModelOutputWithPooling(pooler_output=features[::order])}


def steps(model, ids: torch.Tensor, new: int, **given) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole of each row, and the logits of each new token (rows, new, vocabulary), generated with the cache."""
    out = model.generate(
        ids, max_new_tokens=new, do_sample=False, output_logits=True, return_dict_in_generate=True, **given
    )
    return out.sequences, torch.stack(out.logits, dim=1)


def uncached(model, sequence: torch.Tensor, new: int, length: int, **given) -> torch.Tensor:
    """The logits of the same tokens from one forward over the whole, without a cache."""
    lengths = torch.full((len(sequence),), length)
    logits = model(sequence, use_cache=False, rope_lengths=lengths, **given).logits
    return logits[:, -new - 1 : -1]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())
