"""llava-hf/llava-v1.6-mistral-7b-hf and -vicuna-7b-hf, small: CLIP on square tiles, Mistral or Llama."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

from tiny.common import VOCABULARY, lively, rename_weights, seeded, tokenizer, write_json

TILE, PATCH = 56, 14
PINPOINTS = [[TILE, 2 * TILE], [2 * TILE, TILE], [2 * TILE, 2 * TILE], [3 * TILE, TILE], [TILE, 3 * TILE]]
_IMAGES_THEN_TEXT = (
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}{# Render all text next #}"
)
MISTRAL_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<<SYS>>\n' + message['content'][0]['text'] + "
    "'\n<</SYS>>\n\n' }}{% elif message['role'] == 'user' %}{{ '[INST] ' }}" + _IMAGES_THEN_TEXT + "{% for content in "
    "message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}{{' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'][0]['text'] + '</s> '}}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
VICUNA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
    + _IMAGES_THEN_TEXT
    + "{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', "
    "'text') %}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | "
    "selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def make_mistral(folder: Path) -> None:
    """Keys and values shared by heads; a long context."""
    _make(folder, {"model_type": "mistral", "num_key_value_heads": 2, "head_dim": 16, "sliding_window": None,
                   "max_position_embeddings": 32768, "rope_theta": 1000000.0})  # fmt: skip
    (folder / "chat_template.jinja").write_text(MISTRAL_TEMPLATE)


def make_vicuna(folder: Path) -> None:
    """A key and a value for each head; 4,096 tokens; the chat template in a JSON file."""
    _make(folder, {"model_type": "llama", "num_key_value_heads": 4, "max_position_embeddings": 4096})
    write_json(folder / "chat_template.json", {"chat_template": VICUNA_TEMPLATE})


def _make(folder: Path, text: dict[str, Any]) -> None:
    seeded()
    words = tokenizer(["<unk>", "<image>"], "<s>", "</s>", "<pad>", adds_begin=True, image_token="<image>")
    ids = {token: words.convert_tokens_to_ids(token) for token in ("<pad>", "<s>", "</s>", "<image>")}
    config = LlavaNextConfig(
        image_token_index=ids["<image>"],
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=(TILE // PATCH) ** 2,
        vision_config={
            "model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
            "num_attention_heads": 2, "image_size": TILE, "patch_size": PATCH, "projection_dim": 32,
        },
        text_config={
            **text, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5, "pad_token_id": ids["<pad>"],
            "bos_token_id": ids["<s>"], "eos_token_id": ids["</s>"],
        },
    )  # fmt: skip
    model = LlavaNextForConditionalGeneration(config)
    lively(model)
    model.generation_config.eos_token_id = ids["</s>"]
    model.generation_config.pad_token_id = ids["<pad>"]
    model.save_pretrained(folder)
    rename_weights(folder, lambda name: name.replace("vision_tower.", "vision_tower.vision_model."))
    words.save_pretrained(folder)
    LlavaNextImageProcessorPil(
        size={"shortest_edge": TILE},
        crop_size={"height": TILE, "width": TILE},
        image_grid_pinpoints=PINPOINTS,
    ).save_pretrained(folder)
    write_json(
        folder / "processor_config.json",
        {
            "image_token": "<image>",
            "num_additional_image_tokens": 1,
            "patch_size": PATCH,
            "processor_class": "LlavaNextProcessor",
            "vision_feature_select_strategy": "default",
        },
    )
