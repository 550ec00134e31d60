"""What a checkpoint takes and gives, told by its family from its configuration alone. Pure data.

A child process that may import torch works it out (`vlmd.worker.figures`); everybody else does arithmetic with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class FrameSize(msgspec.Struct, frozen=True, kw_only=True):
    """One of the ways in which a family can show a frame to its language model."""

    tokens: int
    """Tokens of the prompt that one frame of 16:9 takes, with the markers around it."""
    most: int
    """The same for the most unfavourable shape of picture."""
    edge: int
    """Longest edge of a picture, in pixels, beyond which nothing more is seen."""
    pixels: int
    """Pixels that go through the vision tower for one frame."""
    setting: int = 0
    """What the family calls this size: a number of tiles, a bound of pixels."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The dimensions of one checkpoint that memory and context depend on."""

    architecture: str
    family: str
    """Module and version of the family; part of every recipe."""
    parameters: int
    quantizable: int
    """Parameters that NF4 and int8 make smaller; the others keep the precision of the arithmetic."""
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    kv_elements: int
    """Numbers in the KV cache for each token."""
    context: int
    """Most tokens of prompt and answer together."""
    sizes: Sequence[FrameSize]
    """From the coarsest to the finest."""
    preferred: int
    """Index of the size that is taken where nothing is asked for."""
    vision: int = 0
    """Numbers that the vision tower has in hand at once for each pixel that goes through it."""
    shared: bool = False
    """All frames of a window are shown as one picture: `sizes` are for the window."""

    def fitting(self, frame_tokens: int) -> FrameSize | None:
        """The finest size of at most so many tokens a frame; None where even the coarsest takes more."""
        return next((size for size in reversed(self.sizes) if size.most <= frame_tokens), None)
