"""OpenGVLab/InternVL3_5-4B-HF, small: InternViT on square tiles, pixel shuffle, Qwen3 with a last layer of its own."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import InternVLConfig, InternVLForConditionalGeneration
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from tiny.common import VOCABULARY, lively, seeded, tokenizer, write_json

TILE, PATCH = 56, 14
_NAMED = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
CHAT_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}{% elif content['type'] == 'text' %}"
    "{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}{% endfor %}{% if add_generation_prompt "
    "%}{{'<|im_start|>assistant\n' }}{% endif %}"
)


def make(folder: Path) -> None:
    seeded()
    # "Frame" is one token of the published tokenizer too
    words = tokenizer([*_NAMED.values(), "<|im_start|>", "Frame"], None, "<|im_end|>", "<|endoftext|>", False, **_NAMED)
    ids = {token: words.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>", "<IMG_CONTEXT>")}
    config = InternVLConfig(
        image_token_id=ids["<IMG_CONTEXT>"],
        image_seq_length=(TILE // PATCH // 2) ** 2,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "attention_bias": True, "image_size": [TILE, TILE], "patch_size": [PATCH, PATCH],
        },
        text_config={
            "model_type": "qwen3", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": VOCABULARY,
            "max_position_embeddings": 40960, "tie_word_embeddings": False,
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        },
    )  # fmt: skip
    model = InternVLForConditionalGeneration(config)
    lively(model)
    model.generation_config.eos_token_id = ids["<|im_end|>"]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    GotOcr2ImageProcessorPil(
        size={"height": TILE, "width": TILE}, crop_to_patches=False, max_patches=12
    ).save_pretrained(folder)
    _as_published(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def _as_published(folder: Path) -> None:
    """The configuration says nothing of shared embeddings but for the language model; the folder knows videos too."""
    config = json.loads((folder / "config.json").read_text())
    del config["tie_word_embeddings"]
    write_json(folder / "config.json", config)
    path = folder / "preprocessor_config.json"
    processing = json.loads(path.read_text()) | {"image_processor_type": "GotOcr2ImageProcessorFast"}
    write_json(path, processing | {"processor_class": "InternVLProcessor"})
    write_json(
        folder / "video_preprocessor_config.json",
        {"video_processor_type": "InternVLVideoProcessor", "processor_class": "InternVLProcessor",
         "size": {"height": TILE, "width": TILE}},
    )  # fmt: skip
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": (TILE // PATCH // 2) ** 2, "processor_class": "InternVLProcessor"},
    )
