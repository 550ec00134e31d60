"""A tiny Phi-3.5-Vision as the hub has it: its config with small numbers, weights by the published names, its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers

from tiny.common import write_json

SPECIAL = ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>", "<|image|>")
_TEXT = (
    "Watch the pictures and name every event with its start, its end, its label and its team. Answer None if there is "
    'nothing. {"event": "goal", "team": "red", "start": 0.4, "end": 1.2} one two three four five six seven'
)
_CHAT = (
    "{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}"
    "{{- '<|assistant|>\n' -}}{% endif %}"
)
HIDDEN, HEADS, LAYERS, INNER = 64, 4, 3, 192
TOWER, TOWER_LAYERS, TOWER_INNER, TILE, PATCH = 32, 3, 48, 56, 14


def make(folder: Path, seed: int = 0, switch: int = 64, longest: int = 2048) -> None:
    """Write a checkpoint into `folder`; rows that may become longer than `switch` take the long factors."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder)
    write_json(folder / "config.json", config(vocabulary, switch, longest))
    write_json(folder / "preprocessor_config.json", preprocessor())
    write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2})
    for module in ("configuration_phi3_v", "modeling_phi3_v", "processing_phi3_v"):
        (folder / f"{module}.py").write_text('raise SystemExit("code of a checkpoint was run")\n')
    weights = dict(tensors(vocabulary, torch.Generator().manual_seed(seed)))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def config(vocabulary: int, switch: int, longest: int) -> dict[str, Any]:
    """The published config.json: every key of it, with small numbers, and the tower's, which it has from CLIP."""
    factors = HIDDEN // HEADS // 2
    return {
        "_name_or_path": "Phi-3.5-vision-instruct",
        "architectures": ["Phi3VForCausalLM"],
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_phi3_v.Phi3VConfig",
            "AutoModelForCausalLM": "modeling_phi3_v.Phi3VForCausalLM",
        },
        "bos_token_id": 1,
        "embd_layer": {
            "embedding_cls": "image",
            "hd_transform_order": "sub_glb",
            "projection_cls": "mlp",
            "use_hd_transform": True,
            "with_learnable_separator": True,
        },
        "embd_pdrop": 0.0,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "img_processor": {
            "image_dim_out": TOWER,
            "model_name": "openai/clip-vit-large-patch14-336",
            "name": "clip_vision_model",
            "num_img_tokens": (TILE // PATCH // 2) ** 2,
            "num_hidden_layers": TOWER_LAYERS,
            "num_attention_heads": 4,
            "intermediate_size": TOWER_INNER,
            "image_size": TILE,
        },
        "initializer_range": 0.02,
        "intermediate_size": INNER,
        "max_position_embeddings": longest,
        "model_type": "phi3_v",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "original_max_position_embeddings": switch,
        "pad_token_id": 3,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "long_factor": [1.05 + index for index in range(factors)],
            "short_factor": [1.0 + 0.1 * index for index in range(factors)],
            "type": "su",
        },
        "rope_theta": 10000.0,
        "sliding_window": 2 * longest,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "transformers_version": "4.38.1",
        "use_cache": True,
        "vocab_size": vocabulary,
    }


def preprocessor() -> dict[str, Any]:
    """The published preprocessor_config.json."""
    return {
        "auto_map": {
            "AutoImageProcessor": "processing_phi3_v.Phi3VImageProcessor",
            "AutoProcessor": "processing_phi3_v.Phi3VProcessor",
        },
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "Phi3VImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "num_crops": 4,
        "num_img_tokens": 144,
        "processor_class": "Phi3VProcessor",
    }


def tensors(vocabulary: int, random: torch.Generator) -> Iterator[tuple[str, torch.Tensor]]:
    """Every published name with a random tensor, scaled so that no layer drowns what it is given."""
    for name, shape in names(vocabulary):
        noise = torch.randn(shape, generator=random)
        if name.endswith("norm.weight") or "layernorm" in name or "layer_norm" in name or "layrnorm" in name:
            yield name, (1 + 0.1 * noise) if name.endswith("weight") else 0.1 * noise
        else:
            yield name, noise if "embed_tokens.weight" in name else noise * shape[-1] ** -0.5


def names(vocabulary: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The published names and their shapes, written down rather than asked of the model that is to load them."""
    yield "lm_head.weight", (vocabulary, HIDDEN)
    yield "model.embed_tokens.weight", (vocabulary, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    for layer in range(LAYERS):
        within = f"model.layers.{layer}."
        yield within + "input_layernorm.weight", (HIDDEN,)
        yield within + "post_attention_layernorm.weight", (HIDDEN,)
        yield within + "self_attn.qkv_proj.weight", (3 * HIDDEN, HIDDEN)
        yield within + "self_attn.o_proj.weight", (HIDDEN, HIDDEN)
        yield within + "mlp.gate_up_proj.weight", (2 * INNER, HIDDEN)
        yield within + "mlp.down_proj.weight", (HIDDEN, INNER)
    yield from _vision_names("model.vision_embed_tokens.")


def _vision_names(within: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield within + "glb_GN", (1, 1, 4 * TOWER)
    yield within + "sub_GN", (1, 1, 1, 4 * TOWER)
    yield within + "img_projection.0.weight", (HIDDEN, 4 * TOWER)
    yield within + "img_projection.0.bias", (HIDDEN,)
    yield within + "img_projection.2.weight", (HIDDEN, HIDDEN)
    yield within + "img_projection.2.bias", (HIDDEN,)
    tower = within + "img_processor.vision_model."
    yield tower + "embeddings.class_embedding", (TOWER,)
    yield tower + "embeddings.patch_embedding.weight", (TOWER, 3, PATCH, PATCH)
    yield tower + "embeddings.position_embedding.weight", ((TILE // PATCH) ** 2 + 1, TOWER)
    for norm in ("pre_layrnorm", "post_layernorm"):
        yield from _both(tower + norm, (TOWER,))
    for layer in range(TOWER_LAYERS):
        block = f"{tower}encoder.layers.{layer}."
        for norm in ("layer_norm1", "layer_norm2"):
            yield from _both(block + norm, (TOWER,))
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _both(f"{block}self_attn.{projection}", (TOWER, TOWER))
        yield from _both(block + "mlp.fc1", (TOWER_INNER, TOWER))
        yield from _both(block + "mlp.fc2", (TOWER, TOWER_INNER))


def _both(module: str, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield module + ".weight", shape
    yield module + ".bias", shape[:1]


def _write_tokenizer(folder: Path) -> int:
    """A tokenizer of the published kind, trained on a sentence; gives the size of its vocabulary."""
    learnt = Tokenizer(models.BPE())
    learnt.normalizer = _spaces()
    learnt.train_from_iterator([_TEXT], trainers.BpeTrainer(vocab_size=120, show_progress=False))
    state = json.loads(learnt.to_str())["model"]
    words = ["<unk>", "<s>", "</s>", *SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *state["vocab"]]
    merges = [tuple(pair) for pair in state["merges"]]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = _spaces()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", *SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", _tokenizer_settings())
    return len(words)


def _spaces() -> normalizers.Sequence:
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def _tokenizer_settings() -> dict[str, Any]:
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "chat_template": _CHAT,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|endoftext|>",
        "legacy": False,
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
