"""HuggingFaceM4/Idefics3-8B-Llama3, small: SigLIP on square tiles, pixel shuffle, Llama."""

from __future__ import annotations

from pathlib import Path

from transformers import Idefics3Config, Idefics3ForConditionalGeneration
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from tiny.common import VOCABULARY, lively, seeded, tokenizer, write_json

TILE, PATCH, SHUFFLE = 56, 14, 2
CHAT_TEMPLATE = (
    "<|begin_of_text|>{% for message in messages %}{{message['role'].capitalize()}}{% if message['content'][0]['type'] "
    "== 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' "
    "%}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make(folder: Path) -> None:
    seeded()
    cells = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    special = ["<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>", *cells]
    words = tokenizer(special, "<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", adds_begin=True)
    ids = dict(zip(words.all_special_tokens, words.all_special_ids, strict=True))
    ids |= {token: words.convert_tokens_to_ids(token) for token in special}
    config = Idefics3Config(
        image_token_id=ids["<image>"],
        scale_factor=SHUFFLE,
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": TILE, "patch_size": PATCH,
        },
        text_config={
            "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": VOCABULARY,
            "max_position_embeddings": 8192, "pad_token_id": ids["<|pad|>"],
            "bos_token_id": ids["<|begin_of_text|>"], "eos_token_id": ids["<|end_of_text|>"],
        },
    )  # fmt: skip
    model = Idefics3ForConditionalGeneration(config)
    lively(model)
    model.generation_config.eos_token_id = [ids["<|end_of_text|>"], ids["<end_of_utterance>"]]
    model.generation_config.pad_token_id = ids["<|pad|>"]
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    Idefics3ImageProcessorPil(
        size={"longest_edge": 4 * TILE},
        max_image_size={"longest_edge": TILE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(folder)
    tokens = (TILE // PATCH // SHUFFLE) ** 2
    write_json(folder / "processor_config.json", {"image_seq_len": tokens, "processor_class": "Idefics3Processor"})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
