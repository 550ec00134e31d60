"""HuggingFaceM4/idefics2-8b, small: SigLIP with patches of 14, a perceiver of few latents, Mistral."""

from __future__ import annotations

from pathlib import Path

from transformers import Idefics2Config, Idefics2ForConditionalGeneration
from transformers.models.idefics2.image_processing_pil_idefics2 import Idefics2ImageProcessorPil

from tiny.common import VOCABULARY, lively, seeded, tokenizer, write_json

LATENTS = 4
CHAT_TEMPLATE = (
    "{% for message in messages %}{{message['role'].capitalize()}}{% if message['content'][0]['type'] == 'image' %}"
    "{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}"
    "{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make(folder: Path) -> None:
    seeded()
    special = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<unk>"]
    words = tokenizer(special, "<s>", "</s>", "<pad>", adds_begin=True)
    ids = {token: words.convert_tokens_to_ids(token) for token in ("<pad>", "<s>", "</s>", "<image>", special[2])}
    config = Idefics2Config(
        image_token_id=ids["<image>"],
        tie_word_embeddings=False,
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 980, "patch_size": 14,
        },
        perceiver_config={
            "hidden_size": 64, "resampler_n_latents": LATENTS, "resampler_depth": 1, "resampler_n_heads": 2,
            "resampler_head_dim": 16, "num_key_value_heads": 1,
        },
        text_config={
            "model_type": "mistral", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": VOCABULARY,
            "max_position_embeddings": 32768, "sliding_window": 4096, "pad_token_id": ids["<pad>"],
            "bos_token_id": ids["<s>"], "eos_token_id": ids["</s>"],
        },
    )  # fmt: skip
    model = Idefics2ForConditionalGeneration(config)
    lively(model)
    model.generation_config.eos_token_id = [ids["</s>"], ids["<end_of_utterance>"]]
    model.generation_config.pad_token_id = ids["<pad>"]
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    Idefics2ImageProcessorPil(do_image_splitting=True).save_pretrained(folder)
    write_json(folder / "processor_config.json", {"image_seq_len": LATENTS, "processor_class": "Idefics2Processor"})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
