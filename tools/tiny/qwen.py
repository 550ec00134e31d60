"""Qwen/Qwen2.5-VL-3B and 7B and Qwen3-VL-4B and 8B, small: the smaller of each pair ties input and output embeddings.

Configurations have the published layout, flat in Qwen2.5-VL. `save_pretrained` gives its weights their published
names, which have no `model.language_model`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from tiny.common import lively, seeded, tokenizer, write_json

END, PAD = "<|im_end|>", "<|endoftext|>"
SPECIAL = ["<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
LARGEST = 160
"""Most tokens of a frame, in place of 16,384."""
_USER = (
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in "
    "content %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}"
)
CHAT_2_5 = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}" + _USER + "<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CHAT_3 = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content is string %}"
    "{{- message.content }}{%- else %}" + _USER + "{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def make_2_5_3b(folder: Path) -> None:
    _make_2_5(folder, tied=True)


def make_2_5_7b(folder: Path) -> None:
    _make_2_5(folder, tied=False)


def make_3_4b(folder: Path) -> None:
    _make_3(folder, tied=True)


def make_3_8b(folder: Path) -> None:
    _make_3(folder, tied=False)


def _make_2_5(folder: Path, tied: bool) -> None:
    seeded()
    words = tokenizer(SPECIAL, None, END, PAD)
    config = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        **_ids(words),
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": len(words), "max_position_embeddings": 128000,
        "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "max_window_layers": 70,
        "use_sliding_window": False, "tie_word_embeddings": tied, "torch_dtype": "bfloat16",
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vision_config": {
            "depth": 2, "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
            "in_chans": 3, "out_hidden_size": 64, "patch_size": 14, "spatial_merge_size": 2,
            "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2,
            "temporal_patch_size": 2,
        },
    }  # fmt: skip
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(config))
    _save(folder, model, config, words, {"repetition_penalty": 1.05, "temperature": 1e-06})
    write_json(folder / "chat_template.json", {"chat_template": CHAT_2_5})
    write_json(
        folder / "preprocessor_config.json",
        {
            "min_pixels": 3136, "max_pixels": LARGEST * 28**2, "patch_size": 14, "temporal_patch_size": 2,
            "merge_size": 2, "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711], "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
        },
    )  # fmt: skip


def _make_3(folder: Path, tied: bool) -> None:
    seeded()
    words = tokenizer(SPECIAL, None, END, PAD)
    ids = _ids(words)
    text = {name: ids.pop(name) for name in ("bos_token_id", "eos_token_id")}
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        **ids,
        "tie_word_embeddings": tied,
        "text_config": {
            "model_type": "qwen3_vl_text", **text, "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
            "vocab_size": len(words), "max_position_embeddings": 262144, "rope_theta": 5000000,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [2, 3, 3], "rope_type": "default"},
            "dtype": "bfloat16", **({"tie_word_embeddings": True} if tied else {}),
        },
        "vision_config": {
            "model_type": "qwen3_vl", "depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
            "in_channels": 3, "out_hidden_size": 64, "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2, "num_position_embeddings": 144, "deepstack_visual_indexes": [0, 1, 2],
        },
    }  # fmt: skip
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(config))
    _save(folder, model, config, words, {"temperature": 0.7, "top_p": 0.8, "top_k": 20})
    write_json(folder / "chat_template.json", {"chat_template": CHAT_3})
    write_json(
        folder / "preprocessor_config.json",
        {
            "size": {"longest_edge": LARGEST * 32**2, "shortest_edge": 65536}, "patch_size": 16,
            "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
            "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor",
        },
    )  # fmt: skip


def _ids(words: PreTrainedTokenizerFast) -> dict[str, int]:
    """As the published configurations name them."""
    tokens = {
        "bos_token_id": PAD,
        "eos_token_id": END,
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {name: int(words.convert_tokens_to_ids(token)) for name, token in tokens.items()}


def _save(
    folder: Path, model: Any, config: dict[str, Any], words: PreTrainedTokenizerFast, sampling: dict[str, float]
) -> None:
    lively(model)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    write_json(folder / "config.json", config)
    ends = [int(words.convert_tokens_to_ids(token)) for token in (END, PAD)]
    generation = {"bos_token_id": ends[1], "pad_token_id": ends[1], "eos_token_id": ends, "do_sample": True}
    write_json(folder / "generation_config.json", generation | sampling)
