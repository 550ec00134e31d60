"""google/gemma-3n-E2B-it, small: MobileNetV5 with a sixteenth of its channels, a Conformer, Gemma-3n's text layers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import (
    Gemma3nAudioFeatureExtractor,
    Gemma3nConfig,
    Gemma3nForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tiny.common import lively, seeded, tokenizer, write_json
from vlmd.worker.models.gemma3n import tower

EDGE, RESOLUTION = 128, 4
SLOTS = 128
"""Entries of the vision vocabulary and of the audio vocabulary, which lie behind the text's."""
CHAT_TEMPLATE = (
    "{{ bos_token }}{%- for message in messages -%}{%- set role = 'model' if message['role'] == 'assistant' else "
    "message['role'] -%}{{ '<start_of_turn>' + role + '\n' }}{%- if message['content'] is string -%}"
    "{{ message['content'] | trim }}{%- else -%}{%- for item in message['content'] -%}{%- if item['type'] == 'audio' "
    "-%}{{ '<audio_soft_token>' }}{%- elif item['type'] == 'image' -%}{{ '<image_soft_token>' }}{%- elif item['type'] "
    "== 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
_NAMED = {
    "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
    "boa_token": "<start_of_audio>", "eoa_token": "<end_of_audio>", "audio_token": "<audio_soft_token>",
}  # fmt: skip


def make(folder: Path) -> None:
    seeded()
    tower.register()
    words = _words()
    text = int(words.convert_tokens_to_ids("<end_of_image>"))
    config = Gemma3nConfig(
        **{f"{name}_id": words.convert_tokens_to_ids(token) for name, token in _NAMED.items()},
        vision_soft_tokens_per_image=RESOLUTION**2,
        vision_config={
            "architecture": tower.ARCHITECTURE, "hidden_size": 64, "vocab_size": SLOTS, "vocab_offset": text,
            "model_args": {"channel_multiplier": 1 / 16, "msfa_output_resolution": RESOLUTION},
        },
        audio_config={
            "hidden_size": 32, "vocab_size": SLOTS, "vocab_offset": text + SLOTS, "conf_num_hidden_layers": 1,
            "conf_num_attention_heads": 2, "sscp_conv_channel_size": [8, 4], "input_feat_size": 16,
        },
        text_config=_text_config(words, text),
    )  # fmt: skip
    model = Gemma3nForConditionalGeneration(config)
    lively(model)
    _as_timm_begins(model.model.vision_tower)
    end = words.convert_tokens_to_ids("<end_of_turn>")
    model.generation_config.eos_token_id = [words.eos_token_id, end]
    model.generation_config.pad_token_id = words.pad_token_id
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    _save_processors(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)


def _text_config(words: Any, text: int) -> dict[str, Any]:
    return {
        "hidden_size": 64, "intermediate_size": [128] * 4, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 32, "vocab_size": text + 2 * SLOTS, "vocab_size_per_layer_input": text,
        "hidden_size_per_layer_input": 64, "laurel_rank": 64, "num_kv_shared_layers": 2, "sliding_window": 512,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0], "max_position_embeddings": 32768,
        "pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
    }  # fmt: skip


def _words() -> Any:
    """The ends of images and sounds, and the tokens in between, have numbers behind those of the text."""
    front = ["<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<start_of_audio>"]
    words = tokenizer(front, "<bos>", "<eos>", "<pad>", adds_begin=True)
    words.add_tokens([AddedToken("\n" * count, normalized=False) for count in range(2, 9)])
    unused = [f"<unused{number}>" for number in range(SLOTS - 2)]
    words.add_special_tokens({"additional_special_tokens": ["<end_of_image>", "<image_soft_token>", *unused]})
    words.add_special_tokens({"additional_special_tokens": ["<end_of_audio>", "<audio_soft_token>"]})
    return PreTrainedTokenizerFast(
        tokenizer_object=words.backend_tokenizer,
        bos_token=words.bos_token,
        eos_token=words.eos_token,
        pad_token=words.pad_token,
        clean_up_tokenization_spaces=False,
        extra_special_tokens=_NAMED,
    )


def _as_timm_begins(vision: torch.nn.Module) -> None:
    """Weights as timm begins with, but for the scale of what a block adds; larger ones make the tower chaotic."""
    with torch.no_grad():
        for name, parameter in vision.named_parameters():
            if parameter.ndim == 4:
                parameter.normal_(0.0, math.sqrt(2.0 / math.prod((*parameter.shape[2:], len(parameter)))))
            elif name.endswith("gamma"):
                parameter.fill_(0.1)


def _save_processors(folder: Path) -> None:
    """Pictures and sounds are described in one file, under the name of the class that needs torchvision."""
    SiglipImageProcessorPil(size={"height": EDGE, "width": EDGE}, do_normalize=False, resample=2).save_pretrained(
        folder
    )
    images = json.loads((folder / "preprocessor_config.json").read_text())
    Gemma3nAudioFeatureExtractor(feature_size=16).save_pretrained(folder)
    sounds = json.loads((folder / "preprocessor_config.json").read_text())
    named = {"image_processor_type": "SiglipImageProcessorFast", "processor_class": "Gemma3nProcessor"}
    write_json(folder / "preprocessor_config.json", {**sounds, **images, **named})
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": RESOLUTION**2, "audio_seq_length": 188, "processor_class": "Gemma3nProcessor"},
    )
