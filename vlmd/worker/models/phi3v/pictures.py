"""How a picture is cut into squares, and how many tokens that makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

WHITE = (255, 255, 255)


def grid(width: int, height: int, crops: int, edge: int) -> tuple[int, int]:
    """Rows and columns of squares for a picture: as many along its longer side as leave it with at most `crops`."""
    if width < height:
        columns, rows = grid(height, width, crops, edge)
        return rows, columns
    columns = _columns(width / height, crops)
    return ceil(_shorter(columns, width / height, edge) / edge), columns


def tokens(rows: int, columns: int, side: int) -> int:
    """Tokens of a picture cut that way, with `side` times `side` a square: 757 of a film's frame in four squares."""
    return (rows * columns + 1) * side * side + 1 + (rows + 1) * side


@dataclass(frozen=True)
class Cutter:
    """The checkpoint's way of preparing a picture, but for how many squares it may be cut into."""

    edge: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, edge: int, processing: Mapping[str, Any]) -> Cutter:
        """`processing` is what the checkpoint's preprocessor_config.json says."""
        if missing := [name for name in ("image_mean", "image_std") if name not in processing]:
            raise ValueError(
                f"preprocessor_config.json does not say {' and '.join(missing)}; take it from the original"
            )
        return cls(edge, tuple(processing["image_mean"]), tuple(processing["image_std"]))

    def cut(self, picture: Image.Image, crops: int) -> tuple[torch.Tensor, tuple[int, int]]:
        """(1 + squares, 3, edge, edge), the whole picture first, and height and width of what was cut up."""
        fitted, edge = _fitted(picture.convert("RGB"), crops, self.edge), self.edge
        values = torch.from_numpy(np.array(fitted)).permute(2, 0, 1).float() / 255
        values = (values - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]
        whole = interpolate(values[None], size=(edge, edge), mode="bicubic", align_corners=False)
        rows, columns = fitted.height // edge, fitted.width // edge
        squares = values.reshape(3, rows, edge, columns, edge).permute(1, 3, 0, 2, 4).reshape(-1, 3, edge, edge)
        return torch.cat((whole, squares)), (fitted.height, fitted.width)


def _columns(ratio: float, crops: int) -> int:
    columns = 1
    while (columns + 1) * ceil((columns + 1) / ratio) <= crops:
        columns += 1
    return columns


def _shorter(columns: int, ratio: float, edge: int) -> int:
    """The shorter side in pixels; at least one, where the published code would have none and fail."""
    return max(1, int(columns * edge / ratio))


def _fitted(picture: Image.Image, crops: int, edge: int) -> Image.Image:
    """Resized to whole squares along its longer side, and filled up with white along the other, half on each end."""
    if picture.width < picture.height:
        turned = _fitted(picture.transpose(Image.Transpose.TRANSPOSE), crops, edge)
        return turned.transpose(Image.Transpose.TRANSPOSE)
    ratio = picture.width / picture.height
    columns = _columns(ratio, crops)
    resized = picture.resize((columns * edge, _shorter(columns, ratio, edge)), Image.Resampling.BILINEAR)
    missing = ceil(resized.height / edge) * edge - resized.height
    return ImageOps.expand(resized, (0, missing // 2, 0, missing - missing // 2), fill=WHITE)
