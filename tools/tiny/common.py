"""What tiny checkpoints share: a tokenizer trained on a few sentences, and weights that make a difference."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 512
SEED = 20
TEXTS = [
    "These pictures are one moment of a video, in order, 5 per second.",
    "Which of these events do they show? Goal, Corner, Foul, Yellow card, Red card, Substitution, Kick-off, Penalty.",
    "For each event write a JSON object with the keys label, team (home or away), confidence (0 to 1) and details.",
    '{"label": "Goal", "team": "home", "confidence": 0.95, "details": "The ball crosses the line."}',
    "If they show none of these events, write only the word None.",
    "USER: Describe the scene. ASSISTANT: A player takes a throw-in near the corner flag.",
]


def tokenizer(
    special: Sequence[str], begin: str | None, end: str, pad: str, adds_begin: bool = False, **named: str
) -> PreTrainedTokenizerFast:
    """Byte-level BPE with `special` tokens; `named` are those that processors look for as attributes."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(dict.fromkeys([pad, *([begin] if begin else []), end, *special])),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    trained.train_from_iterator(TEXTS, trainer)
    if adds_begin and begin:
        number = trained.token_to_id(begin)
        trained.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, number)])
    return PreTrainedTokenizerFast(
        tokenizer_object=trained,
        bos_token=begin,
        eos_token=end,
        pad_token=pad,
        clean_up_tokenization_spaces=False,
        extra_special_tokens=named,
    )


def seeded() -> None:
    """The same weights every time."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)


def lively(model: torch.nn.Module, gain: float = 2.0) -> None:
    """Random weights that make a difference: as they are initialised, all pictures and prompts look nearly the same.

    A layer's weights get a standard deviation of `gain` over the root of its inputs, an embedding's one of `gain`.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                inputs = 1 if id(parameter) in embeddings else math.prod(parameter.shape[1:])
                parameter.normal_(0.0, gain / math.sqrt(inputs))


def rename_weights(folder: Path, renamed: Callable[[str], str]) -> None:
    """Give the weights the names of a published checkpoint, where transformers writes newer ones."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({renamed(name): weight for name, weight in weights.items()}, path, metadata={"format": "pt"})


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
