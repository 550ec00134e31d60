"""LLaVA-1.6: what its coarser sizes show, and what transformers' model and processor would say of them."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaNextForConditionalGeneration
from transformers.models.llava_next_video.modeling_llava_next_video import LlavaNextVideoPooler

from tests.models.checkpoints import load, pictures, shared_checkpoint, shared_folder
from vlmd.core.errors import WorkerError
from vlmd.core.sizes import choose_size
from vlmd.worker.engine import Engine
from vlmd.worker.models.base import Asked
from vlmd.worker.models.llava_next import LlavaNext
from vlmd.worker.sizing import processing

CATALOG = Path(str(resources.files("vlmd.catalog")))
MISTRAL, VICUNA = (f"llava-hf--llava-v1.6-{name}-7b-hf" for name in ("mistral", "vicuna"))
TILE = 56
SHAPES = [(256, 144), (144, 256), (176, 176), (320, 64), (64, 320), (96, 64)]
_loaded: dict[str, Engine] = {}


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_checkpoint(shared_folder(tmp_path_factory), "llava-mistral")


@pytest.fixture
def family(path: Path) -> LlavaNext:
    engine = _loaded.setdefault("it", _loaded.get("it") or load(path))
    assert isinstance(engine._family, LlavaNext)
    return engine._family


@pytest.fixture
def sizes(family, path):
    """Pooled, whole, one tile, and the checkpoint's own tiles."""
    return family.sizes(family.model.config, processing(path))[0]


@torch.inference_mode()
@pytest.mark.parametrize("finer", [2, 3])
def test_a_whole_frame_is_what_tiles_follow(family, sizes, finer):
    shown = pictures(1, 3)
    for whole, tiled in zip(family.encode(shown, sizes[1]), family.encode(shown, sizes[finer]), strict=True):
        assert len(whole.embeds) == (TILE // 14) ** 2 < len(tiled.embeds)
        torch.testing.assert_close(whole.embeds, tiled.embeds[: len(whole.embeds)], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_frames_are_pooled_as_the_model_for_videos_pools_them(family, sizes):
    config = SimpleNamespace(
        spatial_pool_mode="average", spatial_pool_stride=2, vision_config=family.model.config.vision_config
    )
    shown, tower = pictures(2, 3), family.model.model.vision_tower
    pixels = family.pixels(shown, sizes[0])["pixel_values"]
    states = tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
    expected = family.model.model.multi_modal_projector(LlavaNextVideoPooler(config)(states))
    ours = torch.stack([frame.embeds for frame in family.encode(shown, sizes[0])])
    torch.testing.assert_close(ours, expected)
    assert ours.shape[1] == (TILE // 14 // 2) ** 2


@torch.inference_mode()
@pytest.mark.parametrize("shape", SHAPES)
def test_one_tile_is_what_a_checkpoint_with_one_pinpoint_sees(family, sizes, path, tmp_path, shape):
    """transformers' own model and processor, where the configuration has no other tiles."""
    model, processor = _with_one_pinpoint(path, tmp_path / "one")
    shown = pictures(3, 3, *shape)
    ours = family.prepare([Asked("What happens?", family.encode(shown, sizes[2]))])
    images = [Image.fromarray(picture) for picture in shown]
    theirs = processor(text=family.chat("What happens?", 3), images=images, return_tensors="pt")
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
    expected = model(**theirs).logits[0, -1]
    torch.testing.assert_close(family.model(**ours).logits[0, -1], expected, atol=1e-4, rtol=1e-4)


def _with_one_pinpoint(path: Path, folder: Path):
    shutil.copytree(path, folder)
    for name in ("config.json", "preprocessor_config.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"image_grid_pinpoints": [[TILE, TILE]]}))
    return LlavaNextForConditionalGeneration.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)


@torch.inference_mode()
@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_of_any_shape_has_as_many_features_as_the_processor_writes_tokens(family, sizes, path, shape):
    processor = AutoProcessor.from_pretrained(path)
    (picture,) = pictures(4, 1, *shape)
    ids = processor(text="<image>", images=[Image.fromarray(picture)])["input_ids"][0]
    (frame,) = family.encode([picture], sizes[3])
    assert len(frame.embeds) == ids.count(family.model.config.image_token_id)


@torch.inference_mode()
def test_the_configuration_is_as_before_whatever_happens(family, sizes):
    before = family.model.config.image_grid_pinpoints
    family.encode(pictures(5, 1), sizes[2])
    assert family.model.config.image_grid_pinpoints is before
    pixels = family.pixels(pictures(5, 1), sizes[2])
    with pytest.raises(RuntimeError):
        family.features(pixels | {"pixel_values": pixels["pixel_values"][:, :, :2]})
    assert family.model.config.image_grid_pinpoints is before


def real(name: str):
    config = LlavaNext.read_config(CATALOG / name)
    return config, *LlavaNext.sizes(config, processing(CATALOG / name))


@pytest.mark.parametrize("name", [MISTRAL, VICUNA])
def test_tokens_of_the_published_checkpoints(name):
    """Features as published, and the line break after them."""
    _, sizes, preferred = real(name)
    assert [(size.tokens, size.most) for size in sizes] == [(145, 145), (577, 577), (927, 1177), (1949, 2929)]
    assert preferred == 1


@pytest.mark.parametrize(("name", "billions", "kv"), [(MISTRAL, 7.567, 65536), (VICUNA, 7.063, 262144)])
def test_dimensions_of_the_published_checkpoints(name, billions, kv):
    config, *_ = real(name)
    with torch.device("meta"):
        model = LlavaNext.auto_class.from_config(config, dtype=torch.bfloat16)
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(billions * 1e9, rel=1e-3)
    assert LlavaNext.kv_elements(config) == kv


def test_mistral_has_no_sliding_window_and_its_own_base():
    """Both differ from what transformers assumes of a Mistral that says nothing."""
    config, *_ = real(MISTRAL)
    assert config.text_config.sliding_window is None
    assert config.text_config.rope_parameters["rope_theta"] == 1000000.0


def test_fifteen_frames_fit_mistral_whole_and_vicuna_pooled():
    for name, expected in ((MISTRAL, 1), (VICUNA, 0)):
        config, sizes, preferred = real(name)
        room = LlavaNext.context(config) - 120 - 256
        assert choose_size(sizes, preferred, bound=None, frames=15, room=room) == sizes[expected]


def test_vicuna_says_how_many_frames_it_takes():
    config, sizes, preferred = real(VICUNA)
    with pytest.raises(WorkerError, match="there is room for 25"):
        choose_size(sizes, preferred, bound=None, frames=30, room=LlavaNext.context(config) - 120 - 256)
