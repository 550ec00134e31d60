"""From the squares of a picture to its tokens: CLIP, two by two patches merged, learnt separators, a projection."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from transformers import CLIPVisionModel

from vlmd.worker.models.phi3v.configuration import Phi3VConfig


class Tower(CLIPVisionModel):  # type: ignore[misc]
    """CLIP's vision model up to the layer before the last, which is the one that is looked at."""

    def patches(self, pixels: torch.Tensor) -> torch.Tensor:
        """(squares, 3, edge, edge) to (squares, patches, channels): without the class token."""
        states = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers[:-1]:
            states = layer(states, attention_mask=None)
        return states[:, 1:]


class ImageProcessor(nn.Module):  # type: ignore[misc]
    """One level of names, as published."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self.vision_model = Tower(config.tower)


class ImageEmbedding(nn.Module):  # type: ignore[misc]
    """`model.vision_embed_tokens` of the published weights."""

    def __init__(self, config: Phi3VConfig) -> None:
        super().__init__()
        self._side, self._tile = config.tile_side, config.tile
        merged = 4 * config.tower.hidden_size
        self.img_processor = ImageProcessor(config)
        self.glb_GN = nn.Parameter(torch.zeros(1, 1, merged))
        self.sub_GN = nn.Parameter(torch.zeros(1, 1, 1, merged))
        self.img_projection = nn.Sequential(
            nn.Linear(merged, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
        )

    def forward(
        self, pixel_values: torch.Tensor | Sequence[torch.Tensor], image_sizes: torch.Tensor
    ) -> list[torch.Tensor]:
        """Each picture's (tokens, hidden), from its squares (1 + squares, 3, edge, edge): the whole one first.

        `image_sizes` (pictures, 2) are height and width in pixels of what was cut up; squares beyond that are padding.
        """
        grids = [(int(height) // self._tile, int(width) // self._tile) for height, width in image_sizes.tolist()]
        counts = [1 + rows * columns for rows, columns in grids]
        squares = torch.cat([values[:count] for values, count in zip(pixel_values, counts, strict=True)])
        patches = self.img_processor.vision_model.patches(squares.to(self.glb_GN.device, self.glb_GN.dtype))
        return [
            self._tokens(picture, rows, columns)
            for picture, (rows, columns) in zip(patches.split(counts), grids, strict=True)
        ]

    def _tokens(self, squares: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """The cut-up picture, a separator, the whole one; every row of both ends with a separator of its own."""
        parts = (self._lines(squares[1:], rows, columns), self.glb_GN[0], self._lines(squares[:1], 1, 1))
        tokens: torch.Tensor = self.img_projection(torch.cat(parts))
        return tokens

    def _lines(self, squares: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """(squares, patches, channels) to ((rows of tokens) x (tokens a row, and its end), merged channels)."""
        side, channels = self._side, squares.shape[-1]
        merged = squares.reshape(rows, columns, side, 2, side, 2, channels).permute(0, 2, 1, 4, 3, 5, 6)
        grid = merged.reshape(rows * side, columns * side, 4 * channels)
        ends = self.sub_GN[0].expand(rows * side, 1, -1)
        return torch.cat((grid, ends), dim=1).flatten(0, 1)
