"""Gemma-3n: without timm and torchvision, keys and values in the first layers alone, AltUp in full precision."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from tests.models.checkpoints import load, pictures, shared_checkpoint, shared_folder
from vlmd.worker.engine import Engine
from vlmd.worker.loading import quantized_modules
from vlmd.worker.models.base import Asked
from vlmd.worker.models.gemma3n.family import Gemma3n
from vlmd.worker.models.gemma3n.tower import Gemma3nVisionTower


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return load(shared_checkpoint(shared_folder(tmp_path_factory), "gemma3n"))


@pytest.fixture(scope="module")
def family(engine: Engine) -> Gemma3n:
    assert isinstance(engine._family, Gemma3n)
    return engine._family


def asked(family: Gemma3n, seed: int, count: int = 2) -> Asked:
    size = family.sizes(family.model.config, {"size": {"height": 128, "width": 128}})[0][0]
    return Asked("What happens?", family.encode(pictures(seed, count), size))


def test_its_tower_is_ours(family):
    assert type(family.model.model.vision_tower) is Gemma3nVisionTower


@pytest.mark.parametrize("changed", [{"architecture": "mobilenetv5_base"}, {"model_args": {"depth": 3}}])
def test_another_tower_is_refused(family, changed):
    config = family.model.config.vision_config
    other = type(config)(**{**config.to_dict(), **changed})
    with pytest.raises(ValueError, match="served with mobilenetv5_300m_enc"):
        Gemma3nVisionTower(other)


@torch.inference_mode()
def test_the_cache_is_as_large_as_the_figures_say(family):
    """Two of four layers here share the others' keys: counted from a real cache."""
    inputs = family.prepare([asked(family, 1)])
    output = family.model(**inputs, past_key_values=DynamicCache(config=family.model.config), use_cache=True)
    kept = [layer for layer in output.past_key_values.layers if layer.keys is not None]
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in kept)
    assert numbers == family.kv_elements(family.model.config) * inputs["input_ids"].shape[1]
    assert len(kept) == 2


@torch.inference_mode()
def test_a_longer_answer_than_the_window_is_the_same_without_a_cache(family, monkeypatch):
    """The window of the sliding layers lies within the prompt and moves while an answer is generated."""
    assert family.model.config.text_config.sliding_window == 512
    row = Asked("What happens? " * 120, asked(family, 2, 8).frames)
    inputs = family.prepare([row])
    assert inputs["input_ids"].shape[1] > 512
    options = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    cached = family.generate(inputs, **options)
    assert family.generate(inputs, use_cache=False, **options).tolist() == cached.tolist()


def test_numbers_of_image_tokens_lie_behind_the_texts(family):
    """They have embeddings of their own, which take the place of a token before the frame does."""
    vision = family.model.config.vision_config
    ids = family.tokenizer.convert_tokens_to_ids([family.image_token, family.tokenizer.eoi_token])
    assert all(vision.vocab_offset <= number < vision.vocab_offset + vision.vocab_size for number in ids)


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_altup_and_nothing_else_of_a_layer_keeps_its_precision(engine, precision):
    model = load(engine.spec.path, precision)._family.model
    quantized = quantized_modules(model)
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    kept = {name.split(".layers.")[1].split(".")[1] for name in linear - quantized if "language_model.layers." in name}
    assert kept == {"altup"}
