"""HuggingFaceTB/SmolVLM2-500M-Video-Instruct, small: SigLIP on square tiles, pixel shuffle by four, SmolLM2."""

from __future__ import annotations

from pathlib import Path

from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from tiny.common import VOCABULARY, lively, seeded, tokenizer, write_json

TILE, PATCH, SHUFFLE = 64, 8, 4
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == "
    "'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}"
    "{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% elif line['type'] == 'video' %}{{ '<video>' }}"
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make(folder: Path) -> None:
    seeded()
    cells = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    named = {
        "fake_image_token": "<fake_token_around_image>", "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>", "global_image_token": "<global-img>",
    }  # fmt: skip
    words = tokenizer(
        ["<|endoftext|>", *named.values(), *cells], "<|im_start|>", "<end_of_utterance>", "<|im_end|>", False, **named
    )
    ids = {token: words.convert_tokens_to_ids(token) for token in ("<|im_start|>", "<|im_end|>", "<image>")}
    ids["end"] = words.eos_token_id
    config = SmolVLMConfig(
        image_token_id=ids["<image>"],
        scale_factor=SHUFFLE,
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": TILE, "patch_size": PATCH,
        },
        text_config={
            "model_type": "llama", "hidden_size": 192, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 64,
            "num_attention_heads": 3, "num_key_value_heads": 1, "vocab_size": VOCABULARY,
            "max_position_embeddings": 8192, "rope_theta": 100000, "pad_token_id": ids["<|im_end|>"],
            "bos_token_id": ids["<|im_start|>"], "eos_token_id": ids["end"],
        },
    )  # fmt: skip
    model = SmolVLMForConditionalGeneration(config)
    lively(model)
    model.generation_config.eos_token_id = [ids["end"]]
    model.generation_config.pad_token_id = ids["<|im_end|>"]
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    SmolVLMImageProcessorPil(
        size={"longest_edge": 4 * TILE},
        max_image_size={"longest_edge": TILE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(folder)
    tokens = (TILE // PATCH // SHUFFLE) ** 2
    write_json(folder / "processor_config.json", {"image_seq_len": tokens, "processor_class": "SmolVLMProcessor"})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
