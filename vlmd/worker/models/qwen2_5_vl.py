"""Qwen2.5-VL: a frame becomes one token for each 28 x 28 pixels, as many as its size allows; positions are 3-D.

Every frame is an image of its own, so that it can be remembered; the model's video input merges frames in pairs.

Sources: Bai et al. 2025, "Qwen2.5-VL Technical Report", and transformers' `Qwen2_5_VLProcessor` and `smart_resize`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import torch
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from vlmd.core.figures import FrameSize
from vlmd.worker.loading import Checkpoint
from vlmd.worker.models.base import Frame, FrameFamily, Inputs
from vlmd.worker.questions import Picture

_BOUNDS = (64, 128, 256, 512, 1024, 2048, 4096)
"""Most tokens of a frame, beside the checkpoint's own maximum."""
_PREFERRED = 256
_MARKERS = 2
"""`<|vision_start|>` and `<|vision_end|>`, which the chat template writes around each frame."""


class Qwen25VL(FrameFamily):
    """A checkpoint of `Qwen2_5_VLForConditionalGeneration`."""

    unquantized = ("model.visual",)
    image_token = "<|image_pad|>"

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        cell = config.vision_config.patch_size * config.vision_config.spatial_merge_size
        largest = most_pixels(processing) // cell**2
        bounds = [*(bound for bound in _BOUNDS if bound < largest), largest]
        preferred = max(at for at, bound in enumerate(bounds) if at == 0 or bound <= _PREFERRED)
        return [_size(bound, cell) for bound in bounds], preferred

    @classmethod
    def load_image_processor(cls, checkpoint: Checkpoint) -> Any:
        """By its class: folders fine-tuned with early versions name one that transformers no longer has."""
        return Qwen2VLImageProcessorPil.from_pretrained(checkpoint.path, local_files_only=True)

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (all patches, numbers in a patch) and `image_grid_thw` (frames, 3), in patches."""
        processor = self.image_processor
        height, width = pictures[0].shape[:2]
        bounds = pixel_bounds(
            width,
            height,
            bound=size.setting,
            cell=processor.patch_size * processor.merge_size,
            least=processor.size["shortest_edge"],
        )
        images = [Image.fromarray(picture) for picture in pictures]
        batch = processor(images, size=bounds, return_tensors="pt")
        return {name: batch[name] for name in ("pixel_values", "image_grid_thw")}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        encoded = self.model.get_image_features(**pixels, return_dict=True).pooler_output
        grids = pixels["image_grid_thw"].tolist()
        return [Frame(embeds, tuple(grid)) for embeds, grid in zip(encoded, grids, strict=True)]

    def placeholder(self, frame: Frame) -> str:
        return self.image_token * len(frame.embeds)

    def extras(self, ids: torch.Tensor, frames: Sequence[Frame]) -> Inputs:
        """Where the frames lie and how large they are: the model counts positions from both."""
        grids = torch.tensor([frame.grid for frame in frames], dtype=torch.long, device=ids.device)
        return {
            "image_grid_thw": grids.reshape(-1, 3),
            "mm_token_type_ids": (ids == self.model.config.image_token_id).int(),
        }


def most_pixels(processing: Mapping[str, Any]) -> int:
    """The checkpoint's own bound, which stands in one of two places; transformers lets the older one win."""
    size = processing.get("size") or {}
    found = processing.get("max_pixels") or size.get("max_pixels") or size.get("longest_edge")
    return int(found or Qwen2VLImageProcessorPil.size["longest_edge"])


def pixel_bounds(width: int, height: int, *, bound: int, cell: int, least: int) -> dict[str, int]:
    """What the processor is told, so that no picture of this shape takes more than `bound` tokens.

    By itself it lets a strip exceed the bound, which has one row of tokens at the least, and a small picture, which
    it enlarges to `least` pixels and rounds up.
    """
    ratio = max(width, height) / min(width, height)
    longest = int(cell**2 * min(bound, bound**2 / ratio))
    return {"shortest_edge": min(least, longest // 2), "longest_edge": longest}


def _size(bound: int, cell: int) -> FrameSize:
    """Pictures of at most `bound` tokens of `cell` pixels square; one of 16:9 is `edge` wide and needs no resizing."""
    columns = next(count for count in range(isqrt(2 * bound) + 1, 0, -1) if count * _rows(count) <= bound)
    return FrameSize(
        tokens=columns * _rows(columns) + _MARKERS,
        most=bound + _MARKERS,
        edge=columns * cell,
        pixels=bound * cell**2,
        setting=bound,
    )


def _rows(columns: int) -> int:
    """Of a 16:9 picture so many tokens wide, rounded as the processor rounds."""
    return max(1, round(columns * 9 / 16))
