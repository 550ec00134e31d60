"""InternVL 3 and 3.5, the `-HF` repositories: each frame as one square, or cut into tiles with the whole after them.

Sources: Wang et al. 2025, "InternVL3.5: Advancing Open-Source Multimodal Models in Versatility, Reasoning, and
Efficiency", and transformers' `InternVLProcessor` for the markers. Its `replace_video_token` also has the words with
which these models were trained on video: every frame is announced by its number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Frame, FrameFamily
from vlmd.worker.questions import Picture

_START, _END = "<img>", "</img>"
_MOST_TILES = (1, 2, 4, 8)
"""Bounds of what a frame is cut into; the checkpoint's own is the last."""
_AROUND = 8
"""Tokens of "Frame12: ", of both markers, and of the line break after them."""


class InternVL(FrameFamily):
    """A checkpoint of `InternVLForConditionalGeneration`."""

    unquantized = ("model.vision_tower", "model.multi_modal_projector")
    image_token = "<IMG_CONTEXT>"

    @classmethod
    def read_config(cls, folder: Path) -> Any:
        """Published files say only of the language model whether it shares its embeddings, and transformers does not
        look there: figures would lack the last layer."""
        config = super().read_config(folder)
        config.tie_word_embeddings = config.text_config.tie_word_embeddings
        return config

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        own = int(processing.get("max_patches", 12))
        edge, side = int(processing["size"]["height"]), config.vision_config.image_size[0]
        each = int((side // config.vision_config.patch_size[0] * config.downsample_ratio) ** 2)
        bounds = [*(bound for bound in _MOST_TILES if bound < own), own]
        return [_size(bound, int(processing.get("min_patches", 1)), edge, each) for bound in bounds], 0

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (tiles of all frames, 3, edge, edge), and in `grid` how many tiles each frame has."""
        images = [Image.fromarray(picture) for picture in pictures]
        batch = self.image_processor(
            images, crop_to_patches=size.setting > 1, max_patches=size.setting, return_tensors="pt"
        )
        return {"pixel_values": batch["pixel_values"], "grid": torch.as_tensor(batch["num_patches"])}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        encoded = self.model.get_image_features(pixels["pixel_values"], return_dict=True).pooler_output
        counts = pixels["grid"].tolist()
        return [Frame(tiles.flatten(0, 1), (len(tiles),)) for tiles in encoded.split(counts)]

    def chat(self, prompt: str, count: int) -> str:
        frames = [part for number in range(1, count + 1)
                  for part in ({"type": "text", "text": f"Frame{number}: "}, {"type": "image"})]  # fmt: skip
        turn = {"role": "user", "content": [*frames, {"type": "text", "text": prompt}]}
        text: str = self.tokenizer.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        return text

    def placeholder(self, frame: Frame) -> str:
        return f"{_START}{self.image_token * len(frame.embeds)}{_END}"

    def packed(self, frames: Sequence[Frame]) -> Any:
        tiles = [frame.embeds.unflatten(0, (frame.grid[0], -1)) for frame in frames]
        return BaseModelOutputWithPooling(pooler_output=torch.cat(tiles))


def _size(bound: int, least: int, edge: int, each: int) -> FrameSize:
    """A frame cut into at most `bound` tiles; two or more are followed by the whole frame."""
    whole = -(-edge * 16 // 9)
    columns, rows = get_optimal_tiled_canvas((9 * edge, 16 * edge), (edge, edge), min(least, bound), bound)
    tiles, most = (count + (count > 1) for count in (columns * rows, bound))
    return FrameSize(
        tokens=tiles * each + _AROUND,
        most=most * each + _AROUND,
        edge=max(whole, columns * edge),
        pixels=tiles * edge**2,
        setting=bound,
    )
