"""Qwen3-VL: as Qwen2.5-VL, with patches of 16, and features for the first layers of the language model ("DeepStack").

Sources: the Qwen team 2025, "Qwen3-VL Technical Report", and transformers' `Qwen3VLProcessor`. Frames are images, not
a video: the window's own prompt tells their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

from vlmd.worker.models.base import Frame
from vlmd.worker.models.qwen2_5_vl import Qwen25VL


class Qwen3VL(Qwen25VL):
    """A checkpoint of `Qwen3VLForConditionalGeneration`."""

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        encoded = self.model.get_image_features(**pixels, return_dict=True)
        deep = zip(*encoded.deepstack_features, strict=True)
        grids = pixels["image_grid_thw"].tolist()
        return [
            Frame(embeds, tuple(grid), tuple(layers))
            for embeds, grid, layers in zip(encoded.pooler_output, grids, deep, strict=True)
        ]

    def packed(self, frames: Sequence[Frame]) -> Any:
        return BaseModelOutputWithDeepstackFeatures(
            pooler_output=[frame.embeds for frame in frames],
            deepstack_features=[list(layer) for layer in zip(*(frame.deep for frame in frames), strict=True)],
        )
