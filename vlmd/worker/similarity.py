"""How alike texts are to a BERT, for `vlmd evaluate`: `python -m vlmd.worker.similarity FD FOLDER`, pairs on stdin.

The cosine of the mean of each text's last hidden states, as sentence-transformers has it for all-MiniLM-L6-v2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import torch
from transformers import AutoModel, AutoTokenizer

_BATCH = 32
_TOKENS = 512


def similarities(folder: str, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """0 to 1 for each pair; what points away from each other is 0."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    limit = min(_TOKENS, int(model.config.max_position_embeddings))
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(pairs), _BATCH):
            part = pairs[first : first + _BATCH]
            one, another = (
                _mean(model, tokenizer([pair[side] for pair in part], return_tensors="pt", padding=True,
                                       truncation=True, max_length=limit))
                for side in (0, 1)
            )  # fmt: skip
            scores += torch.nn.functional.cosine_similarity(one, another).clamp(0, 1).tolist()
    return scores


def _mean(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    mask = batch["attention_mask"].unsqueeze(-1)
    states = model(**batch).last_hidden_state
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


if __name__ == "__main__":
    with open(int(sys.argv[1]), "w", encoding="utf-8") as answer:
        json.dump(similarities(sys.argv[2], json.load(sys.stdin)), answer)
