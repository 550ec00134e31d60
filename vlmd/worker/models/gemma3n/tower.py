"""Gemma-3n's vision tower as transformers asks for it: takes the place of the one that would be made by timm."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.gemma3n.configuration_gemma3n import Gemma3nVisionConfig

from vlmd.worker.models.gemma3n.mobilenetv5 import MobileNetV5

ARCHITECTURE = "mobilenetv5_300m_enc"
_ARGUMENTS = {"channel_multiplier": "multiplier", "msfa_output_resolution": "resolution"}
"""timm's name of a dimension, as `model_args` has it → ours."""


class Gemma3nVisionTower(PreTrainedModel):  # type: ignore[misc]
    """Weights lie below `timm_model`, as in the published checkpoints."""

    config_class = Gemma3nVisionConfig
    main_input_name = "pixel_values"
    _no_split_modules = ("Gemma3nVisionTower",)
    # its attention is torch's own, whatever is asked of the language model
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        arguments = config.model_args or {}
        unknown = sorted(set(arguments) - set(_ARGUMENTS))
        if config.architecture != ARCHITECTURE or unknown:
            wanted = ", ".join([config.architecture, *unknown])
            raise ValueError(f"the vision tower is to be {wanted}; Gemma-3n is served with {ARCHITECTURE}")
        named = {_ARGUMENTS[name]: value for name, value in arguments.items()}
        self.timm_model = MobileNetV5(config.hidden_size, **named)
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, **options: Any) -> BaseModelOutputWithPooling:
        """`last_hidden_state` (pictures, features, resolution, resolution)."""
        return BaseModelOutputWithPooling(last_hidden_state=self.timm_model(pixel_values.to(self.device, self.dtype)))


def register() -> None:
    """From now on Gemma-3n models of this process are built with it."""
    AutoModel.register(Gemma3nVisionConfig, Gemma3nVisionTower, exist_ok=True)
