"""SmolVLM: the prompt as transformers' own processor writes it, which cannot be loaded without torchvision itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import SmolVLMConfig
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

from tests.models.checkpoints import load, pictures, shared_checkpoint, shared_folder
from vlmd.core.figures import FrameSize
from vlmd.worker.models.base import Asked
from vlmd.worker.models.smolvlm import SmolVLM
from vlmd.worker.sizing import processing

MARKS = {"fake_token_around_image": "<fake_token_around_image>", "image_token": "<image>",
         "global_image_token": "<global-img>"}  # fmt: skip
PUBLISHED = {
    "256M and 500M": (512, 16, 4, 2048, 64),
    "2.2B": (384, 14, 3, 1536, 81),
}
"""Edge of a tile, of a patch, pixel shuffle, longest edge of a picture, tokens of a tile."""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> SmolVLM:
    engine = load(shared_checkpoint(shared_folder(tmp_path_factory), "smolvlm2"))
    assert isinstance(engine._family, SmolVLM)
    return engine._family


def sizes(family: SmolVLM) -> list[FrameSize]:
    return family.sizes(family.model.config, processing(Path(family.model.name_or_path)))[0]


@pytest.mark.parametrize(("width", "height"), [(256, 144), (144, 256), (320, 64)])
@torch.inference_mode()
def test_the_prompt_is_that_of_transformers_own_processor(family, width, height):
    for size in sizes(family):
        shown = family.encode(pictures(1, 2, width, height), size)
        ours = family.expanded(Asked("What happens?", shown))
        frames = "".join(
            get_image_prompt_string(*frame.grid, image_seq_len=len(frame.embeds) // tiles(frame.grid), **MARKS)
            for frame in shown
        )
        assert ours == f"<|im_start|>User:{frames}What happens?<end_of_utterance>\nAssistant:"


def tiles(grid: tuple[int, ...]) -> int:
    return grid[0] * grid[1] + 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_those_of_the_published_processors(name):
    """Tiles and tokens of a 1280x720 frame, in the dimensions of the published checkpoints."""
    tile, patch, shuffle, longest, each = PUBLISHED[name]
    config = SmolVLMConfig(vision_config={"image_size": tile, "patch_size": patch}, scale_factor=shuffle)
    processor = SmolVLMImageProcessorPil(size={"longest_edge": longest}, max_image_size={"longest_edge": tile})
    told, preferred = SmolVLM.sizes(config, processor.to_dict())
    assert (told[preferred].tokens, told[preferred].edge) == (each + 3, tile)
    for size in told:
        picture = Image.new("RGB", (size.edge, size.edge * 9 // 16))
        batch = processor([[picture]], do_image_splitting=size.setting > 1, return_row_col_info=True,
                          size={"longest_edge": size.setting * tile}, return_tensors="pt")  # fmt: skip
        rows, columns = batch["rows"][0][0], batch["cols"][0][0]
        assert size.pixels == batch["pixel_values"][0, :, 0].numel()
        expected = rows * columns * (each + 2) + rows + (rows > 0) + each + 3
        assert size.tokens == expected, (size, rows, columns)
    assert batch["pixel_values"].shape[1] == 13, "the finest is what the published processor does by default: 4 by 3"
    assert SmolVLMImageProcessorPil(size={"longest_edge": longest}, max_image_size={"longest_edge": tile})(
        [[Image.new("RGB", (1280, 720))]], return_tensors="pt"
    )["pixel_values"].shape[1] == 13  # fmt: skip


@torch.inference_mode()
def test_a_whole_frame_is_what_the_video_processor_makes_of_it(family):
    """Longest edge to the tile's, then squared; the way of single pictures, through four times the tile, differs."""
    shown = pictures(2, 1, 640, 352)
    ours = family.pixels(shown, sizes(family)[0])["pixel_values"][0, 0]
    tile = ours.shape[-1]
    small = Image.fromarray(shown[0]).resize(
        (tile, tile * 352 // 640 + tile * 352 // 640 % 2), Image.Resampling.LANCZOS
    )
    squared = small.resize((tile, tile), Image.Resampling.LANCZOS)
    expected = torch.tensor(list(squared.get_flattened_data())).reshape(tile, tile, 3).permute(2, 0, 1) / 255 * 2 - 1
    torch.testing.assert_close(ours, expected, atol=1 / 64, rtol=0)
    direct = family.image_processor([[Image.fromarray(shown[0])]], do_image_splitting=False, return_tensors="pt")
    assert (direct["pixel_values"][0, 0] - expected).abs().max() > 1 / 16, "the control must differ"
