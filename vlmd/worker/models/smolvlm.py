"""SmolVLM and SmolVLM2: as Idefics3, with a language model small enough for a CPU or a small card.

A whole frame is shown as the published processor shows a video's: its longest edge is a tile's, then it is squared.
Cut into tiles it is shown as a picture by itself. Times of frames are not written between them; a prompt may.

Source: Marafioti et al. 2025, "SmolVLM: Redefining small and efficient multimodal models", and transformers'
`SmolVLMVideoProcessor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from vlmd.core.figures import FrameSize
from vlmd.worker.models.idefics3 import Idefics3


class SmolVLM(Idefics3):
    """A checkpoint of `SmolVLMForConditionalGeneration`."""

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        (whole, *split), preferred = super().sizes(config, processing)
        edge = int(processing["max_image_size"]["longest_edge"])
        return [msgspec.structs.replace(whole, edge=edge), *split], preferred

    def bound(self, size: FrameSize) -> dict[str, Any]:
        return {"size": {"longest_edge": size.setting * self._tile}}
