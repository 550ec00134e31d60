"""From a question to what the model takes, as the published processor does it, for whole batches.

The published one takes one text, does not pad, and marks pictures by negative ids; here the placeholder is the
tokenizer's own `<|image|>`, repeated once a token of the picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from vlmd.worker.models.phi3v import pictures
from vlmd.worker.models.phi3v.configuration import Phi3VConfig

IMAGE_TOKEN = "<|image|>"
END_TOKEN = "<|end|>"
_PLACE = re.compile(r"<\|image_(\d+)\|>")


class Phi3VProcessor:
    """Pictures, prompts and token ids of one checkpoint. `crops` may be lowered: fewer squares, fewer tokens."""

    def __init__(self, tokenizer: Any, config: Phi3VConfig, settings: dict[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.crops = int(settings.get("num_crops", 1))
        self.image_token_id = _image_token(tokenizer, config)
        self._edge, self._side = config.tile, config.tile_side
        self._mean, self._std = settings["image_mean"], settings["image_std"]

    @classmethod
    def from_pretrained(cls, path: str, config: Phi3VConfig) -> Phi3VProcessor:
        """Read `preprocessor_config.json`, and `tokenizer.json` as it is.

        The class that tokenizer_config.json names would build another tokenizer from the same vocabulary, without the
        space that this one puts before the text after every special token.
        """
        settings = json.loads((Path(path) / "preprocessor_config.json").read_text())
        tokenizer = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True, padding_side="left")
        return cls(tokenizer, config, settings)

    def tokens(self, width: int, height: int) -> int:
        """How many tokens a picture of that size becomes."""
        return pictures.tokens(*pictures.grid(width, height, self.crops, self._edge), self._side)

    def pixels(self, shown: Sequence[Image.Image]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """`pixel_values`, one tensor (1 + squares, 3, edge, edge) a picture, and `image_sizes` (pictures, 2)."""
        cut = [pictures.cut(picture, self.crops, self._edge, self._mean, self._std) for picture in shown]
        return [values for values, _ in cut], torch.tensor([size for _, size in cut])

    def chat(self, prompt: str, count: int) -> str:
        """One turn of a user, `count` pictures before the prompt, by the checkpoint's own template if it has one."""
        content = "".join(f"<|image_{number}|>\n" for number in range(1, count + 1)) + prompt
        if self.tokenizer.chat_template is None:
            return f"<|user|>\n{content}{END_TOKEN}\n<|assistant|>\n"
        turns = [{"role": "user", "content": content}]
        text: str = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text

    def ids(self, text: str, counts: Sequence[int]) -> list[int]:
        """Token ids of a text with a place for each picture, which takes as many tokens as `counts` says.

        What lies between two places is tokenised by itself, with whatever the tokenizer puts before a text: the
        published processor does so, and the model was trained with it.
        """
        between = _PLACE.split(text)
        places = [int(number) for number in between[1::2]]
        if places != list(range(1, len(counts) + 1)):
            raise ValueError(f"the prompt has places for pictures {places}, and {len(counts)} pictures are shown")
        chunks: list[list[int]] = [self.tokenizer(chunk).input_ids for chunk in between[::2]]
        if any(self.image_token_id in chunk for chunk in chunks):
            raise ValueError(f"the prompt contains {IMAGE_TOKEN}, which stands for pictures only")
        ids = chunks[0]
        for count, chunk in zip(counts, chunks[1:], strict=True):
            ids = [*ids, *[self.image_token_id] * count, *chunk]
        return ids

    def padded(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """`input_ids` and `attention_mask` (rows, tokens), filled up on the left."""
        batch = self.tokenizer.pad({"input_ids": [list(row) for row in rows]}, padding=True, return_tensors="pt")
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}

    @property
    def ends(self) -> list[int]:
        """Tokens that end an answer: published configs name only one, which is not the one that ends a turn."""
        ids = {self.tokenizer.eos_token_id, self.tokenizer.convert_tokens_to_ids(END_TOKEN)}
        return sorted(ids - {None, self.tokenizer.unk_token_id})


def _image_token(tokenizer: Any, config: Phi3VConfig) -> int:
    found = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    if found is None or found == tokenizer.unk_token_id or found >= config.vocab_size:
        raise ValueError(f"its tokenizer has no token {IMAGE_TOKEN} that the model knows: it is not a Phi-3 Vision one")
    return int(found)
