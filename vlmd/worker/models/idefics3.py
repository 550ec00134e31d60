"""Idefics3: each frame whole, or cut into tiles with the whole frame after them; a fixed number of tokens each.

Sources: Laurençon et al. 2024, "Building and better understanding vision-language models", and transformers'
`Idefics3Processor` for the order of tiles and their markers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image

from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Frame, FrameFamily
from vlmd.worker.questions import Picture

_CUTS = (1, 2, 4)
"""Tiles along the longer edge of a frame."""


class Idefics3(FrameFamily):
    """A checkpoint of `Idefics3ForConditionalGeneration`."""

    unquantized = ("model.vision_model", "model.connector")
    image_token = "<image>"

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        tile = int(processing["max_image_size"]["longest_edge"])
        each = (config.vision_config.image_size // config.vision_config.patch_size) ** 2 // config.scale_factor**2
        finest = int(processing["size"]["longest_edge"]) // tile if processing.get("do_image_splitting", True) else 1
        return [_size(cut, tile, each) for cut in _CUTS if cut <= max(1, finest)], 0

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (frames, tiles, 3, height, width), and `pixel_attention_mask` of what is no padding.

        `grid` (frames, 2): rows and columns of tiles; none where a frame is shown whole.
        """
        images = [[Image.fromarray(picture)] for picture in pictures]
        batch = self.image_processor(
            images,
            do_image_splitting=size.setting > 1,
            return_row_col_info=True,
            return_tensors="pt",
            **self.bound(size),
        )
        grid = torch.tensor([[rows[0], columns[0]] for rows, columns in zip(batch["rows"], batch["cols"], strict=True)])
        return {"grid": grid, **{name: batch[name] for name in ("pixel_values", "pixel_attention_mask")}}

    def bound(self, size: FrameSize) -> dict[str, Any]:
        """Longest edge to which a picture is brought before it is cut into tiles, or squared as one."""
        return {"size": {"longest_edge": size.setting * self._tile}} if size.setting > 1 else {}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        grids = pixels["grid"].tolist()
        encoded = self.model.get_image_features(
            pixels["pixel_values"], pixels["pixel_attention_mask"], return_dict=True
        ).pooler_output
        return [Frame(embeds, tuple(grid)) for embeds, grid in zip(encoded, grids, strict=True)]

    def placeholder(self, frame: Frame) -> str:
        fake, whole = "<fake_token_around_image>", "<global-img>"
        rows, columns = frame.grid
        tokens = self.image_token * (len(frame.embeds) // (rows * columns + 1))
        tiles = "".join(
            "".join(f"{fake}<row_{row + 1}_col_{column + 1}>{tokens}" for column in range(columns)) + "\n"
            for row in range(rows)
        )
        return f"{tiles}\n{fake}{whole}{tokens}{fake}" if tiles else f"{fake}{whole}{tokens}{fake}"

    @property
    def _tile(self) -> int:
        return int(self.image_processor.max_image_size["longest_edge"])


def _size(cut: int, tile: int, each: int) -> FrameSize:
    """A frame with `cut` tiles along its longer edge; 16:9 fills 9/16 of as many rows, started ones in full."""
    rows = -(-cut * 9 // 16)
    tiles, most = (0, 0) if cut == 1 else (cut * rows, cut * cut)

    def tokens(tiles: int, rows: int) -> int:
        """With a line break after each row, and another before the whole frame."""
        return tiles * (each + 2) + rows + (each + 3) + (tiles > 0)

    return FrameSize(
        tokens=tokens(tiles, rows if tiles else 0),
        most=tokens(most, cut if most else 0),
        edge=-(-tile * cut * 16 // 9) if cut == 1 else tile * cut,
        pixels=(tiles + 1) * tile**2,
        setting=cut,
    )
