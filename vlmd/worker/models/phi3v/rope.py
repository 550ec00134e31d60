"""LongRoPE whose factors are chosen once a row, for the whole generation.

The published code looks at every step whether the row is longer than the 4,096 tokens that the model was first
trained with, and from then on rotates by the long factors; the keys in the cache stay rotated by the short ones, and
no uncached computation gives what then follows. Here the choice is made before the first token, from how long the row
may become: its prompt and the tokens it is allowed. So a cached generation equals the uncached one with the same
factors, step by step, and because every row has its own, rows of a batch do not affect each other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from vlmd.worker.models.phi3v.configuration import Phi3VConfig


class LongRope(nn.Module):  # type: ignore[misc]
    """Cosines and sines of positions. Holds no buffers: the tables are made from the config where they are used."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self._config = config
        self._tables: dict[torch.device, tuple[torch.Tensor, torch.Tensor, float]] = {}

    @property
    def switch(self) -> int | None:
        """Rows that may become longer than this use the long factors; None where there is only one set."""
        if self._config.rope_parameters["rope_type"] != "longrope":
            return None
        return int(self._config.original_max_position_embeddings)

    def forward(
        self, states: torch.Tensor, position_ids: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`position_ids` (rows or 1, tokens), `lengths` (rows): two times (rows, tokens, head width) like `states`."""
        short, long, scaling = self._of(states.device)
        is_long = lengths.to(states.device) > self.switch if self.switch is not None else torch.zeros_like(lengths)
        frequencies = torch.where(is_long.bool()[:, None], long, short)
        with torch.autocast(states.device.type, enabled=False):
            angles = position_ids[..., None].float() * frequencies[:, None, :]
            angles = torch.cat((angles, angles), dim=-1)
            return (angles.cos() * scaling).to(states.dtype), (angles.sin() * scaling).to(states.dtype)

    def _of(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, float]:
        if device not in self._tables:
            self._tables[device] = _tables(self._config, device)
        return self._tables[device]


def _tables(config: Phi3VConfig, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Inverse frequencies with the short and the long factors, and what both are scaled by."""
    kind = config.rope_parameters["rope_type"]
    if kind != "longrope":
        plain, scaling = Phi3RotaryEmbedding.compute_default_rope_parameters(config, device)
        return plain, plain, float(scaling)
    make: Any = ROPE_INIT_FUNCTIONS[kind]
    switch = config.original_max_position_embeddings
    short, scaling = make(config, device, seq_len=switch)
    long, _ = make(config, device, seq_len=switch + 1)
    return short, long, float(scaling)
