"""LLaVA-1.6: each frame as one square picture, and finer with tiles of it in their own proportions after that.

Sources: Liu et al. 2024, "LLaVA-NeXT: Improved reasoning, OCR, and world knowledge"; transformers' `LlavaNextModel`
for the order of features. Pooled frames are those of Zhang et al. 2024, "LLaVA-NeXT: A Strong Zero-shot Video
Understanding Model", which shows videos to the same weights: features of the tower, averaged 2 by 2 before the
projector (transformers' `LlavaNextVideoPooler`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from transformers.image_processing_utils import select_best_resolution

from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Frame, FrameFamily
from vlmd.worker.questions import Picture

Pinpoints = list[list[int]]
"""Heights and widths, in pixels, that tiles can fill together."""

_POOLED, _WHOLE, _ONE_TILE, _TILES = range(4)
"""How a frame is shown, from the coarsest."""
_STRIDE = 2
"""Features that a pooled one is the average of, each way."""
_BREAK = 1
"""The line break that chat templates write after every frame."""


class LlavaNext(FrameFamily):
    """A checkpoint of `LlavaNextForConditionalGeneration`."""

    unquantized = ("model.vision_tower", "model.multi_modal_projector")
    image_token = "<image>"

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        edge, side = config.vision_config.image_size, _side(config)
        finest = [list(pinpoint) for pinpoint in config.image_grid_pinpoints]
        return [
            _whole(_POOLED, (side // _STRIDE) ** 2, edge),
            _whole(_WHOLE, side**2, edge),
            _tiled(_ONE_TILE, [[edge, edge]], edge, side),
            _tiled(_TILES, finest, edge, side),
        ], _WHOLE

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """Tiled: `pixel_values` (frames, 1 + tiles, 3, edge, edge), `image_sizes`, and in `grid` the pinpoints.

        Whole: `pixel_values` (frames, 3, edge, edge), and in `grid` the stride with which features are pooled.
        """
        images = [Image.fromarray(picture) for picture in pictures]
        edge = self.model.config.vision_config.image_size
        pinpoints = self.model.config.image_grid_pinpoints if size.setting == _TILES else [[edge, edge]]
        batch = self.image_processor(images, image_grid_pinpoints=pinpoints, return_tensors="pt")
        if size.setting in (_POOLED, _WHOLE):
            stride = _STRIDE if size.setting == _POOLED else 1
            return {"pixel_values": batch["pixel_values"][:, 0], "grid": torch.tensor([stride])}
        return {**{name: batch[name] for name in ("pixel_values", "image_sizes")}, "grid": torch.tensor(pinpoints)}

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        if "image_sizes" not in pixels:
            return [Frame(embeds) for embeds in self._whole(pixels["pixel_values"], int(pixels["grid"]))]
        with _configured(self.model.config, pixels["grid"].tolist()):
            encoded = self.model.get_image_features(
                pixels["pixel_values"], image_sizes=pixels["image_sizes"], return_dict=True
            ).pooler_output
        return [Frame(embeds) for embeds in encoded]

    def placeholder(self, frame: Frame) -> str:
        return self.image_token * len(frame.embeds)

    def _whole(self, pixel_values: torch.Tensor, stride: int) -> torch.Tensor:
        """(frames, tokens, hidden): what the model itself puts before the features of the tiles, pooled if wanted."""
        config, parts = self.model.config, self.model.model
        states = parts.vision_tower(pixel_values, output_hidden_states=True, return_dict=True).hidden_states
        layers = config.vision_feature_layer
        chosen = torch.cat([states[layer] for layer in ([layers] if isinstance(layers, int) else layers)], dim=-1)
        if config.vision_feature_select_strategy == "default":
            chosen = chosen[:, 1:]
        if stride > 1:
            square = chosen.unflatten(1, (_side(config), -1)).movedim(-1, 1)
            chosen = torch.nn.functional.avg_pool2d(square, stride).flatten(2).transpose(1, 2)
        projected: torch.Tensor = parts.multi_modal_projector(chosen)
        return projected


@contextmanager
def _configured(config: Any, pinpoints: Pinpoints) -> Iterator[None]:
    """The model takes pinpoints from its configuration alone, whatever its pixels were cut by."""
    own = config.image_grid_pinpoints
    config.image_grid_pinpoints = pinpoints
    try:
        yield
    finally:
        config.image_grid_pinpoints = own


def _side(config: Any) -> int:
    """Features along one side of a square picture."""
    return int(config.vision_config.image_size // config.vision_config.patch_size)


def _whole(setting: int, features: int, edge: int) -> FrameSize:
    tokens = features + _BREAK
    return FrameSize(tokens=tokens, most=tokens, edge=_edge(edge), pixels=edge**2, setting=setting)


def _tiled(setting: int, pinpoints: Pinpoints, edge: int, side: int) -> FrameSize:
    """The whole frame, then tiles without what pads them; a token ends each row of theirs."""
    longest = max(_edge(edge), *(max(pinpoint) for pinpoint in pinpoints))
    shape = longest * 9 // 16, longest
    height, width = select_best_resolution(shape, pinpoints)
    rows, columns = _unpadded(height // edge * side, width // edge * side, *shape)
    fullest = max((tall // edge * side) * (wide // edge * side + 1) for tall, wide in pinpoints)
    return FrameSize(
        tokens=side**2 + rows * (columns + 1) + _BREAK,
        most=side**2 + fullest + _BREAK,
        edge=longest,
        pixels=(1 + height // edge * (width // edge)) * edge**2,
        setting=setting,
    )


def _unpadded(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of features that show something of a picture fitted into the middle of so many."""
    if width / height > columns / rows:
        return rows - (rows - int(round(height * columns / width, 7))) // 2 * 2, columns
    return rows, columns - (columns - int(round(width * rows / height, 7))) // 2 * 2


def _edge(edge: int) -> int:
    """Of a 16:9 frame whose shorter edge fills the square it is pressed into."""
    return -(-edge * 16 // 9)
