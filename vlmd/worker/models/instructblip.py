"""InstructBLIP: all frames of a window are one picture, side by side, of which a few query tokens remain.

What remains depends on the question, so nothing but the pictures themselves can be kept from window to window. The
queries and the question go through a transformer of their own, the Q-Former, whose positions are counted from the
left whatever the mask says: its text is padded on the right, the language model's on the left.

Where an answer ends is told by the tokenizer: the language model's configuration is that of another LLaMA, whose
special tokens have other numbers.

Sources: Dai et al. 2023, "InstructBLIP"; transformers' `InstructBlipProcessor`, which puts the image tokens before the
token that begins the text, and LAVIS, which asks its questions without any template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from vlmd.core.figures import FrameSize
from vlmd.worker.loading import Checkpoint, load_tokenizer
from vlmd.worker.models.base import Asked, Family, Frame, Inputs
from vlmd.worker.questions import Picture

HEIGHT = 336
"""Of the frames in the panorama, in pixels."""
_QFORMER_TOKENIZER = "qformer_tokenizer"
"""The folder of it in a checkpoint."""


class InstructBlip(Family):
    """A checkpoint of `InstructBlipForConditionalGeneration` with a language model that has no encoder."""

    unquantized = ("vision_model", "qformer", "language_projection")
    image_token = "<image>"
    shared = True

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any) -> None:
        super().__init__(model, tokenizer, image_processor)
        _check(model)
        self.qformer_tokenizer: Any = None
        ends = model.language_model.generation_config
        ends.eos_token_id, ends.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id

    @classmethod
    def load(cls, checkpoint: Checkpoint, progress: Callable[[str], None]) -> InstructBlip:
        family = super().load(checkpoint, progress)
        assert isinstance(family, cls)
        family.qformer_tokenizer = load_tokenizer(checkpoint, _QFORMER_TOKENIZER)
        return family

    @classmethod
    def sizes(cls, config: Any, processing: Mapping[str, Any]) -> tuple[list[FrameSize], int]:
        seen = processing["size"]["height"] * processing["size"]["width"]
        queries = config.num_query_tokens
        return [FrameSize(tokens=queries, most=queries, edge=-(-HEIGHT * 16 // 9), pixels=seen)], 0

    @property
    def dtype(self) -> torch.dtype:
        """Not the query tokens', which transformers keeps in fp32."""
        dtype: torch.dtype = self.model.language_projection.weight.dtype
        return dtype

    @property
    def generator(self) -> Any:
        """The language model: the whole one's `generate` would want pictures."""
        return self.model.language_model

    def encode(self, pictures: Sequence[Picture], size: FrameSize) -> list[Frame]:
        """Copies of the pictures as they are, (height, width, 3)."""
        return [Frame(torch.from_numpy(np.array(picture))) for picture in pictures]

    def pixels(self, pictures: Sequence[Picture], size: FrameSize) -> dict[str, torch.Tensor]:
        """`pixel_values` (1, 3, height, width) of the panorama."""
        return {"pixel_values": self._seen([panorama(pictures)])}

    def expanded(self, asked: Asked) -> str:
        """The prompt as it is; before it, image tokens for all frames together."""
        prompt = self._prompt(asked)
        return self.image_token * self.model.config.num_query_tokens + prompt if asked.frames else prompt

    def tokenize(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Left-padded rows of image tokens, the token that begins a text, and the text."""
        image = self.model.config.image_token_id
        rows = [
            [image] * text.count(self.image_token) + self.tokenizer(text.replace(self.image_token, ""))["input_ids"]
            for text in texts
        ]
        tokens: dict[str, torch.Tensor] = self.tokenizer.pad(
            {"input_ids": rows}, padding_side="left", return_tensors="pt"
        )
        return tokens

    def prepare(self, rows: Sequence[Asked]) -> Inputs:
        """Panoramas and questions through vision tower and Q-Former, in one batch; rows without frames are text."""
        tokens = self.tokenize([self.expanded(row) for row in rows])
        placed = {name: tokens[name].to(self.device) for name in ("input_ids", "attention_mask")}
        embeds = self.model.get_input_embeddings()(placed["input_ids"])
        shown = [row for row in rows if row.frames]
        if shown:
            places = self._places(tokens["attention_mask"], rows).to(self.device)
            embeds = embeds.masked_scatter(places.unsqueeze(-1), self._queries(shown).to(embeds.dtype))
        return {**placed, "inputs_embeds": embeds}

    def _places(self, mask: torch.Tensor, rows: Sequence[Asked]) -> torch.Tensor:
        """Where what was seen takes the place of image tokens; not by their number, which padding may have, too."""
        begins = (mask == 0).sum(dim=1, keepdim=True)
        at = torch.arange(mask.shape[1]) - begins
        pictured = torch.tensor([[bool(row.frames)] for row in rows])
        return (at >= 0) & (at < self.model.config.num_query_tokens) & pictured

    def _prompt(self, asked: Asked) -> str:
        return asked.prompt.replace(self.image_token, "")

    def questioned(self, prompts: Sequence[str]) -> Inputs:
        """What the Q-Former hears; as much of each prompt as it has positions for."""
        words = self.qformer_tokenizer(
            list(prompts),
            padding=True,
            padding_side="right",
            truncation=True,
            max_length=self.model.config.qformer_config.max_position_embeddings,
            return_tensors="pt",
        )
        return {f"qformer_{name}": words[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def _queries(self, rows: Sequence[Asked]) -> torch.Tensor:
        """(rows, queries, hidden)"""
        pictures = [panorama([frame.embeds.numpy() for frame in row.frames]) for row in rows]
        questions = self.questioned([self._prompt(row) for row in rows])
        seen: torch.Tensor = self.model.get_image_features(
            self.place(self._seen(pictures)), **questions, return_dict=True
        ).pooler_output
        return seen

    def _seen(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        pixels: torch.Tensor = self.image_processor(list(pictures), return_tensors="pt")["pixel_values"]
        return pixels


def _check(model: Any) -> None:
    """Raises ValueError for checkpoints of the same name that cannot be asked in this way."""
    config = model.config
    if not config.use_decoder_only_language_model:
        raise ValueError(f"InstructBLIP is served with Vicuna only, not with {config.text_config.model_type}")
    if config.image_token_id is None:
        raise ValueError("config.json has no image_token_index, as old revisions of InstructBLIP; fetch a newer one")
    if config.image_token_id >= model.get_input_embeddings().num_embeddings:
        raise ValueError(f"image_token_index {config.image_token_id} in config.json is none of the model's tokens")


def panorama(pictures: Sequence[Picture]) -> Image.Image:
    """Side by side, from left to right, each as high as the others."""
    images = [Image.fromarray(picture) for picture in pictures]
    even = [image.resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT)) for image in images]
    return Image.fromarray(np.concatenate([np.asarray(image) for image in even], axis=1))
