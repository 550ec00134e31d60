"""Idefics2: each frame becomes 64 tokens whatever its size, or five times as many with its four quarters before it.

Sources: Laurençon et al. 2024, "What matters when building vision-language models?", and transformers'
`Idefics2Processor` for the markers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Asked, Frame, FrameFamily
from vlmd.worker.questions import Picture

_FAKE = "<fake_token_around_image>"
_WHOLE_EDGE = 448
"""Longest edge of a frame shown whole: a fifth of the arithmetic of 980, for the same number of tokens."""


class Idefics2(FrameFamily):
    """A checkpoint of `Idefics2ForConditionalGeneration`."""

    unquantized = ("model.vision_model", "model.connector")
    image_token = "<image>"

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        latents = config.perceiver_config.resampler_n_latents
        longest = int(processing["size"]["longest_edge"])
        edge = min(_WHOLE_EDGE, longest)
        whole = FrameSize(tokens=latents + 2, most=latents + 2, edge=edge, pixels=edge * edge * 9 // 16, setting=1)
        split = FrameSize(
            tokens=5 * latents + 6,
            most=5 * latents + 6,
            edge=2 * longest,
            pixels=5 * longest * longest * 9 // 16,
            setting=5,
        )
        return [whole, split], 0

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (frames, 1 or 5, 3, height, width) and the mask of what is no padding."""
        images = [[Image.fromarray(picture)] for picture in pictures]
        whole = size.setting == 1
        bound = {"size": {"shortest_edge": size.edge // 2, "longest_edge": size.edge}} if whole else {}
        batch = self.image_processor(images, do_image_splitting=not whole, return_tensors="pt", **bound)
        return {name: batch[name] for name in ("pixel_values", "pixel_attention_mask")}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        encoded = self.model.get_image_features(**pixels, return_dict=True).pooler_output
        tiles = pixels["pixel_values"].shape[1]
        return [Frame(embeds, (tiles,)) for embeds in encoded]

    def placeholder(self, frame: Frame) -> str:
        (tiles,) = frame.grid
        return f"{_FAKE}{self.image_token * (len(frame.embeds) // tiles)}{_FAKE}" * tiles

    def expanded(self, asked: Asked) -> str:
        """Frames that touch share the marker between them; a word that follows one begins with a blank."""
        text = super().expanded(asked).replace(_FAKE * 2, _FAKE)
        return re.sub(rf"{_FAKE}(?=[^\s<])", f"{_FAKE} ", text)
