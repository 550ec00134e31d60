"""From a question's words to token ids, as the published processor does it, for whole batches.

The published one takes one text, does not pad, and marks pictures by negative ids; here the placeholder is the
tokenizer's own `<|image|>`, repeated once a token of the picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

IMAGE_TOKEN = "<|image|>"
END_TOKEN = "<|end|>"
PLACE = re.compile(r"<\|image_(\d+)\|>")
"""Where a numbered picture goes."""
_RUNS = re.compile(r"((?:<\|image\|>)+)")


def load_tokenizer(path: str) -> Any:
    """`tokenizer.json` as it is; raises `ValueError` for another model's.

    The class that tokenizer_config.json names would build another tokenizer from the same vocabulary, without the
    space that this one puts before the text after every special token.
    """
    tokenizer = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True, padding_side="left")
    if tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) in (None, tokenizer.unk_token_id):
        raise ValueError(f"its tokenizer has no token {IMAGE_TOKEN}: it is not that of a Phi-3 Vision")
    _try_template(tokenizer)
    return tokenizer


def _try_template(tokenizer: Any) -> None:
    """A template of another kind would fail every window, for a reason that no window has."""
    try:
        expanded(chat(tokenizer, "", 2), [1, 1])
    except (TemplateError, TypeError, ValueError) as error:
        reason = "take that of the original, which writes a message's text as it is"
        raise ValueError(f"its chat template cannot be used ({error}); {reason}") from error


def chat(tokenizer: Any, prompt: str, count: int) -> str:
    """One turn of a user, `count` pictures before the prompt, by the checkpoint's own template if it has one."""
    content = "".join(f"<|image_{number}|>\n" for number in range(1, count + 1)) + without_places(prompt)
    if tokenizer.chat_template is None:
        return f"<|user|>\n{content}{END_TOKEN}\n<|assistant|>\n"
    turns = [{"role": "user", "content": content}]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return text


def without_places(prompt: str) -> str:
    """What the question says itself is no picture's place."""
    return PLACE.sub("", prompt).replace(IMAGE_TOKEN, "")


def expanded(text: str, counts: Sequence[int]) -> str:
    """The text with as many placeholders in each picture's place as `counts` says."""
    places = [int(number) for number in PLACE.findall(text)]
    if places != list(range(1, len(counts) + 1)):
        raise ValueError(f"the chat template has places for pictures {places}, and {len(counts)} are shown")
    return PLACE.sub(lambda place: IMAGE_TOKEN * counts[int(place[1]) - 1], text)


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """What lies between two pictures is tokenised by itself, with whatever the tokenizer puts before a text.

    The published processor does so, and the model was trained with it.
    """
    image: int = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    ids: list[int] = []
    for index, part in enumerate(_RUNS.split(text)):
        ids += [image] * (len(part) // len(IMAGE_TOKEN)) if index % 2 else tokenizer(part).input_ids
    return ids


def padded(tokenizer: Any, rows: Sequence[list[int]]) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` (rows, tokens), filled up on the left."""
    batch = tokenizer.pad({"input_ids": list(rows)}, padding=True, padding_side="left", return_tensors="pt")
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def ends(tokenizer: Any) -> list[int]:
    """Tokens that end an answer: published configs name only one, which is not the one that ends a turn."""
    ids = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_TOKEN)}
    return sorted(ids - {None, tokenizer.unk_token_id})
