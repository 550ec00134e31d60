"""Phi-3(.5)-Vision, natively: no code of the checkpoint runs, several pictures a prompt, with a KV cache.

A frame is shown whole and cut into squares of 336 pixels; how many decides what it costs: 313 tokens with one, 757 of
a frame of 16:9 with four, as published for several pictures.

Sources: the technical report of Phi-3 (Abdin et al. 2024), the published config, and vLLM's and the published code
for what neither says: how pictures are cut, in which order their tokens lie, what separates them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

from vlmd.core.figures import FrameSize
from vlmd.worker.loading import Checkpoint
from vlmd.worker.models.base import Asked, Frame, FrameFamily, Inputs
from vlmd.worker.models.phi3v import pictures, prompts
from vlmd.worker.models.phi3v.configuration import Phi3VConfig
from vlmd.worker.models.phi3v.modeling import Phi3VForCausalLM
from vlmd.worker.models.phi3v.pictures import Cutter
from vlmd.worker.questions import Picture
from vlmd.worker.sizing import processing

CROPS = (1, 4, 6, 12, 16)
"""Squares that a frame may be cut into: between these, a frame of 16:9 gets no more."""
BETWEEN = 3
"""Tokens between two pictures: a line, and what the tokenizer puts before every text."""

AutoConfig.register(Phi3VConfig.model_type, Phi3VConfig, exist_ok=True)
AutoModelForImageTextToText.register(Phi3VConfig, Phi3VForCausalLM, exist_ok=True)


class Phi3V(FrameFamily):
    """A checkpoint of `Phi3VForCausalLM`."""

    unquantized = ("model.vision_embed_tokens.img_processor", "model.vision_embed_tokens.img_projection")
    image_token = prompts.IMAGE_TOKEN

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        return [_size(config, crops) for crops in CROPS], 0

    @classmethod
    def load_tokenizer(cls, checkpoint: Checkpoint) -> Any:
        return prompts.load_tokenizer(checkpoint.path)

    @classmethod
    def load_image_processor(cls, checkpoint: Checkpoint) -> Cutter:
        folder = Path(checkpoint.path)
        if not any((folder / name).exists() for name in ("preprocessor_config.json", "processor_config.json")):
            raise ValueError("it has no preprocessor_config.json; take that of the checkpoint it was made from")
        return Cutter.of(cls.read_config(folder).tile, processing(folder))

    def __init__(self, model: Any, tokenizer: Any, image_processor: Cutter) -> None:
        """Completes what the published files leave to the code beside them: the tokens with a meaning."""
        super().__init__(model, tokenizer, image_processor)
        model.config.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        said = model.generation_config.eos_token_id
        known = said if isinstance(said, list) else [said]
        model.generation_config.eos_token_id = sorted({*known, *prompts.ends(tokenizer)} - {None})
        model.generation_config.pad_token_id = tokenizer.pad_token_id

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (frames, 1 + squares, 3, edge, edge), and height and width of what was cut up."""
        cut = [self.image_processor.cut(Image.fromarray(picture), size.setting) for picture in pictures]
        return {
            "pixel_values": torch.stack([squares for squares, _ in cut]),
            "image_sizes": torch.tensor([extent for _, extent in cut]),
        }

    def features(self, pixels: dict[str, torch.Tensor]) -> list[Frame]:
        return [Frame(embeds) for embeds in self.model.get_image_features(**pixels).pooler_output]

    def chat(self, prompt: str, count: int) -> str:
        return prompts.chat(self.tokenizer, prompt, count)

    def placeholder(self, frame: Frame) -> str:
        return self.image_token * len(frame.embeds)

    def expanded(self, asked: Asked) -> str:
        text = self.chat(asked.prompt, len(asked.frames))
        return prompts.expanded(text, [len(frame.embeds) for frame in asked.frames])

    def prepare(self, rows: Sequence[Asked]) -> Inputs:
        """With each row's own length: else the longest answer that the batch allows would decide for all."""
        inputs = super().prepare(rows)
        answers = [row.answer for row in rows if row.answer is not None]
        if len(answers) == len(rows):
            mask = inputs["attention_mask"]
            inputs["rope_lengths"] = mask.sum(dim=-1) + torch.tensor(answers, device=mask.device)
        return inputs

    def tokenize(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        return prompts.padded(self.tokenizer, [prompts.token_ids(self.tokenizer, text) for text in texts])


def _size(config: Phi3VConfig, crops: int) -> FrameSize:
    rows, columns = pictures.grid(16, 9, crops, config.tile)
    return FrameSize(
        tokens=pictures.tokens(rows, columns, config.tile_side) + BETWEEN,
        most=pictures.tokens(crops, 1, config.tile_side) + BETWEEN,
        edge=columns * config.tile,
        pixels=(1 + rows * columns) * config.tile**2,
        setting=crops,
    )
