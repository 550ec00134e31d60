"""InternVL: tiles and the whole, frames announced as in its training, and the traps of what was published."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.internvl.processing_internvl import InternVLProcessor

from tests.models.checkpoints import answers, load, pictures, question, shared_checkpoint, shared_folder
from vlmd.worker.engine import Engine
from vlmd.worker.frames import FrameCache
from vlmd.worker.models.base import Asked
from vlmd.worker.models.internvl import InternVL
from vlmd.worker.sizing import processing

CATALOG = Path(str(resources.files("vlmd.catalog")))
BILLIONS = {"1B": 1.061, "2B": 2.348, "4B": 4.732, "8B": 8.528}
_loaded: dict[str, Engine] = {}


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_checkpoint(shared_folder(tmp_path_factory), "internvl")


@pytest.fixture
def family(path: Path) -> InternVL:
    engine = _loaded.setdefault("it", _loaded.get("it") or load(path))
    assert isinstance(engine._family, InternVL)
    return engine._family


@pytest.fixture
def sizes(family, path):
    return family.sizes(family.model.config, processing(path))[0]


def test_pictures_are_prepared_without_torchvision(family):
    assert isinstance(family.image_processor, GotOcr2ImageProcessorPil)


@torch.inference_mode()
def test_the_whole_frame_follows_its_tiles(family, sizes):
    shown = pictures(1, 3)
    for whole, tiled in zip(family.encode(shown, sizes[0]), family.encode(shown, sizes[-1]), strict=True):
        assert whole.grid == (1,) and tiled.grid == (9,)
        torch.testing.assert_close(whole.embeds, tiled.embeds[-len(whole.embeds) :], atol=1e-4, rtol=1e-4)
        assert (whole.embeds - tiled.embeds[: len(whole.embeds)]).abs().max() > 1e-2, "the control must differ"


def test_frames_are_announced_as_transformers_announces_those_of_a_video(family):
    frames = family.encode(pictures(2, 3), family.sizes(family.model.config, _published("4B"))[0][0])
    tokens = SimpleNamespace(start_image_token="<img>", end_image_token="</img>", image_token="<IMG_CONTEXT>",
                             image_seq_length=len(frames[0].embeds))  # fmt: skip
    video = {"pixel_values_videos": [torch.zeros(3, 1)]}
    theirs = InternVLProcessor.replace_video_token(tokens, video, 0)
    assert family.expanded(Asked("What happens?", frames)) == (
        f"<|im_start|>user\n{theirs}\nWhat happens?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_sizes_of_the_same_tokens_are_not_taken_for_each_other(family, sizes):
    """A frame of 16:9 has two tiles in both; a square one is whole in one, and four tiles in the other."""
    two, four = sizes[1:3]
    assert two.tokens == four.tokens
    asked, cache = question(pictures(3, 2, 160, 160), "What happens?"), FrameCache(family)
    counts = [[frame.grid for frame in cache.of([asked], size, lambda: None)[0]] for size in (two, four)]
    assert counts == [[(1,), (1,)], [(5,), (5,)]]


@pytest.mark.parametrize("name", BILLIONS)
def test_dimensions_of_the_published_checkpoints(name):
    """The last layer is counted, which transformers' own reading of the configuration leaves out."""
    folder = CATALOG / f"OpenGVLab--InternVL3_5-{name}-HF"
    config = InternVL.read_config(folder)
    assert config.tie_word_embeddings is False
    assert AutoConfig.from_pretrained(folder).tie_word_embeddings is True, "read_config has become superfluous"
    with torch.device("meta"):
        model = InternVL.auto_class.from_config(config, dtype=torch.bfloat16)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(BILLIONS[name] * 1e9, rel=1e-3)


def test_tokens_of_the_published_checkpoints():
    """256 a tile; markers, the frame's number and the line break take up to 8 more."""
    config = InternVL.read_config(CATALOG / "OpenGVLab--InternVL3_5-4B-HF")
    sizes, preferred = InternVL.sizes(config, _published("4B"))
    tiles = [((size.tokens - 8) // 256, (size.most - 8) // 256) for size in sizes]
    assert tiles == [(1, 1), (3, 3), (3, 5), (9, 9), (9, 13)]
    assert sizes[preferred].tokens == 264
    assert InternVL.kv_elements(config) == 2 * 36 * 8 * 128


def _published(name: str):
    return processing(CATALOG / f"OpenGVLab--InternVL3_5-{name}-HF")


def test_weights_load_under_older_and_newer_names(path, tmp_path):
    """Below `language_model.model`, as transformers writes them, or below `model.language_model`, as it calls them."""
    newer = tmp_path / "newer"
    shutil.copytree(path, newer)
    weights = load_file(newer / "model.safetensors")
    assert "language_model.model.norm.weight" in weights
    save_file({_newer(name): weight for name, weight in weights.items()}, newer / "model.safetensors", {"format": "pt"})
    asked = question(pictures(4, 2), "What happens?")
    assert answers(load(newer), [asked]) == answers(load(path), [asked])


def _newer(name: str) -> str:
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    return "model." + name.replace("language_model.model.", "language_model.")
