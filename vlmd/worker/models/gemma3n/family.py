"""Gemma-3n: each frame squeezed into a square and seen as 256 tokens, whatever its size.

Half of its parameters are embeddings for each layer, looked up and not multiplied; its last layers reuse the keys and
values of earlier ones. Its ears are loaded, because a checkpoint is loaded whole, and not used.

Sources: Google's "Gemma 3n" model card, and transformers' `Gemma3nProcessor` for the markers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Frame, FrameFamily
from vlmd.worker.models.gemma3n import tower
from vlmd.worker.questions import Picture

tower.register()


class Gemma3n(FrameFamily):
    """A checkpoint of `Gemma3nForConditionalGeneration`.

    AltUp keeps its precision: it mixes the layers' inputs through matrices of 4 by 4 and 4 by 16, with nothing to be
    gained by making them smaller, and bitsandbytes cannot multiply by those on a CPU.
    """

    unquantized = (
        "model.vision_tower",
        "model.embed_vision",
        "model.audio_tower",
        "model.embed_audio",
        "model.language_model.layers.*.altup",
    )
    image_token = "<image_soft_token>"

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        soft, (height, width) = config.vision_soft_tokens_per_image, _square(processing)
        edge = -(-max(height, width) * 16 // 9)
        return [FrameSize(tokens=soft + 3, most=soft + 4, edge=edge, pixels=height * width)], 0

    @classmethod
    def kv_elements(cls, config: Any) -> int:
        """The last layers have none of their own."""
        text = cls.text_config(config)
        own = text.num_hidden_layers - text.num_kv_shared_layers
        return int(super().kv_elements(config) * own // text.num_hidden_layers)

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (frames, 3, height, width)."""
        images = [Image.fromarray(picture) for picture in pictures]
        return {"pixel_values": self.image_processor(images, return_tensors="pt")["pixel_values"]}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        encoded = self.model.get_image_features(pixels["pixel_values"], return_dict=True).pooler_output
        return [Frame(embeds) for embeds in encoded]

    def placeholder(self, frame: Frame) -> str:
        """The tokenizer makes one token of lines that touch."""
        begin, end = self.tokenizer.boi_token, self.tokenizer.eoi_token
        return f"\n\n{begin}{self.image_token * len(frame.embeds)}{end}\n\n"

    def packed(self, frames: Sequence[Frame]) -> Any:
        if not frames:
            return None
        return BaseModelOutputWithPooling(pooler_output=torch.stack([frame.embeds for frame in frames]))


def _square(processing: Mapping[str, Any]) -> tuple[int, int]:
    return int(processing["size"]["height"]), int(processing["size"]["width"])
