"""Qwen2.5-VL and Qwen3-VL: three-dimensional positions, bounded frames, DeepStack, and the published dimensions."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, Qwen2_5_VLProcessor, Qwen3VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

from tests.models.checkpoints import again, answers, load, pictures, question, shared_checkpoint, shared_folder
from vlmd.core.figures import FrameSize
from vlmd.worker.engine import Engine
from vlmd.worker.loading import quantized_modules
from vlmd.worker.models import family
from vlmd.worker.models.base import Asked, Inputs
from vlmd.worker.models.qwen2_5_vl import most_pixels, pixel_bounds
from vlmd.worker.sizing import processing

NAMES = ["qwen2.5-vl-3b", "qwen2.5-vl-7b", "qwen3-vl-4b", "qwen3-vl-8b"]
PUBLISHED = {
    "Qwen/Qwen2.5-VL-3B-Instruct": (3.75, 36),
    "Qwen/Qwen2.5-VL-7B-Instruct": (8.29, 56),
    "Qwen/Qwen3-VL-2B-Instruct": (2.13, 112),
    "Qwen/Qwen3-VL-4B-Instruct": (4.44, 144),
    "Qwen/Qwen3-VL-8B-Instruct": (8.77, 144),
}
"""Billions of parameters, and KiB of KV cache for each token in 16 bits."""

_engines: dict[str, Engine] = {}


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param not in _engines:
        _engines[request.param] = load(shared_checkpoint(shared_folder(tmp_path_factory), request.param))
    return _engines[request.param]


def finest(engine: Engine) -> FrameSize:
    return engine._family.sizes(engine._family.model.config, processing(Path(engine.spec.path)))[0][-1]


def prepared(engine: Engine, *rows: Asked) -> Inputs:
    return engine._family.prepare(rows)


def asked(engine: Engine, seed: int, shape: tuple[int, int], count: int, prompt: str) -> Asked:
    """A row that shows `count` pictures of this width and height."""
    return Asked(prompt, engine._family.encode(pictures(seed, count, *shape), finest(engine)))


def rows_of(engine: Engine) -> list[Asked]:
    """Three of different lengths, with pictures of different shapes, words before and after them."""
    mixed = [*asked(engine, 2, (144, 256), 1, "").frames, *asked(engine, 3, (176, 176), 2, "").frames]
    return [
        asked(engine, 1, (256, 144), 4, "Which of these events do they show? Goal, Corner, Foul, Penalty."),
        Asked("Describe the scene.", mixed),
        asked(engine, 4, (320, 64), 1, "What happens?"),
    ]


def steps(engine: Engine, inputs: Inputs, count: int = 6, **options: object) -> torch.Tensor:
    """(rows, steps, vocabulary): the logits of every new token."""
    output = engine._family.generate(
        inputs, max_new_tokens=count, min_new_tokens=count, do_sample=False, repetition_penalty=1.0,
        return_dict_in_generate=True, output_logits=True, **options,
    )  # fmt: skip
    return torch.stack(output.logits, dim=1)


def counted(engine: Engine, row: Asked) -> tuple[list[tuple[int, int, int]], int]:
    """Positions (time, height, width) as the papers define them, counted by hand, and the one that comes next.

    Words go on by one in all three. A frame has one time, its rows and columns begin there, and what follows
    begins after the longer side of the frame.
    """
    ids = prepared(engine, row)["input_ids"][0].tolist()
    image, frames, positions, at = engine._family.model.config.image_token_id, list(row.frames), [], 0
    while ids:
        if ids[0] != image:
            positions.append((at, at, at))
            ids, at = ids[1:], at + 1
            continue
        _, height, width = frames.pop(0).grid
        cells = [(at, at + y, at + x) for y in range(height // 2) for x in range(width // 2)]
        assert ids[: len(cells)] == [image] * len(cells)
        positions += cells
        ids, at = ids[len(cells) :], at + max(height, width) // 2
    return positions, at


@torch.inference_mode()
def test_positions_are_those_of_the_papers_in_a_padded_batch(engine):
    rows = rows_of(engine)
    inputs = prepared(engine, *rows)
    mask = inputs["attention_mask"]
    assert mask.sum(dim=1).unique().numel() == 3, "rows of different lengths"
    extras = {name: inputs[name] for name in ("image_grid_thw", "mm_token_type_ids")}
    found, deltas = engine._family.model.model.get_rope_index(inputs["input_ids"], attention_mask=mask, **extras)
    for number, row in enumerate(rows):
        expected, following = counted(engine, row)
        length = len(expected)
        assert mask[number, :-length].sum() == 0, "padding is on the left"
        assert found[:, number, -length:].T.tolist() == [list(position) for position in expected]
        assert int(deltas[number]) == following - length != 0


@torch.inference_mode()
def test_every_step_of_a_batch_is_what_its_rows_are_alone(engine):
    """Frames of different sizes in one batch and in one row; text after them; rows padded."""
    rows = rows_of(engine)
    together = steps(engine, prepared(engine, *rows))
    for number, row in enumerate(rows):
        torch.testing.assert_close(together[number], steps(engine, prepared(engine, row))[0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_positions_make_a_difference(engine):
    """What a path without them answers (`inputs_embeds` alone, or tokens of no type) is another model's answer."""
    inputs = prepared(engine, rows_of(engine)[0])
    right = steps(engine, dict(inputs))
    flat = {name: tensor for name, tensor in inputs.items() if name not in ("image_grid_thw", "mm_token_type_ids")}
    assert (steps(engine, flat)[:, 0] - right[:, 0]).abs().max() > 1e-2


@torch.inference_mode()
def test_a_batch_is_right_after_another_of_its_size(engine):
    """The model remembers by how much positions lag behind tokens, from one call to the next."""
    first, second, third = rows_of(engine)
    fresh = steps(engine, prepared(engine, second, third))
    model = engine._family.model
    deltas = model.model.rope_deltas.clone()
    steps(engine, prepared(engine, first, first))
    assert (model.model.rope_deltas != deltas).all(), "the control: what is remembered must differ"
    torch.testing.assert_close(steps(engine, prepared(engine, second, third)), fresh, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(steps(engine, prepared(engine, second))[0], fresh[0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_beams_of_a_batch_are_what_they_are_alone(engine):
    """transformers repeats the frames of each row for its beams, whatever their number and size."""
    rows = rows_of(engine)

    def written(*rows: Asked) -> list[list[int]]:
        inputs = prepared(engine, *rows)
        ids = engine._family.generate(
            inputs, num_beams=3, max_new_tokens=5, min_new_tokens=5, do_sample=False, repetition_penalty=1.0
        )
        return ids[:, inputs["input_ids"].shape[1] :].tolist()

    assert written(*rows) == [written(row)[0] for row in rows]


def test_windows_of_videos_of_different_shapes_share_a_batch(engine):
    windows = [question(pictures(5, 3), "What?", new=6), question(pictures(6, 2, 144, 256), "Describe it.", new=6)]
    together = answers(engine, windows)
    alone = [answers(engine, [again(window)])[0] for window in windows]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert [reply.prompt_tokens for reply in together] == [reply.prompt_tokens for reply in alone]


@torch.inference_mode()
def test_deep_features_reach_the_language_model(engine):
    row = rows_of(engine)[0]
    inputs = prepared(engine, row)
    if not (deep := row.frames[0].deep):
        assert engine._family.model.config.model_type == "qwen2_5_vl"
        return
    assert len(deep) == 3 and all(features.shape == row.frames[0].embeds.shape for features in deep)
    right = steps(engine, prepared(engine, row))[:, 0]
    packed = inputs["mm_encoder_outputs"]["image"]
    packed.deepstack_features = [[features * 0 for features in layer] for layer in packed.deepstack_features]
    assert (steps(engine, inputs)[:, 0] - right).abs().max() > 1e-2


def test_the_prompt_is_the_one_that_transformers_own_processor_writes(engine):
    """Its video part needs torchvision, and is left out."""
    own = Qwen3VLProcessor if engine._family.model.config.model_type == "qwen3_vl" else Qwen2_5_VLProcessor
    unchecked = type("Unchecked", (own,), {"check_argument_for_proper_class": lambda *_: None})
    ours = engine._family
    processor = unchecked(image_processor=ours.image_processor, tokenizer=ours.tokenizer)
    shown = pictures(7, 2)
    text = ours.chat("What happens?", 2)
    expected = processor(text=[text], images=[Image.fromarray(picture) for picture in shown], return_tensors="pt")
    found = prepared(engine, Asked("What <|image_pad|>happens?", ours.encode(shown, finest(engine))))
    assert found["input_ids"].tolist() == expected["input_ids"].tolist()
    assert found["image_grid_thw"].tolist() == expected["image_grid_thw"].tolist()
    assert found["mm_token_type_ids"].tolist() == expected["mm_token_type_ids"].tolist()


def test_the_prompt_is_the_published_one(engine):
    text = engine._family.chat("What happens?", 1)
    turn = (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What happens?<|im_end|>\n<|im_start|>assistant\n"
    )
    older = engine._family.model.config.model_type == "qwen2_5_vl"
    assert text == ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" if older else "") + turn


@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    bound=st.sampled_from([64, 128, 160, 256, 1024]),
    qwen3=st.booleans(),
)
@example(width=6400, height=64, bound=64, qwen3=True)
@example(width=160, height=90, bound=64, qwen3=True)
@example(width=4, height=80, bound=64, qwen3=False)
def test_no_picture_takes_more_tokens_than_its_size_allows(width, height, bound, qwen3):
    """Strips and small pictures, for which the processor by itself goes beyond its bound."""
    if max(width, height) > 200 * min(width, height):
        return
    cell, least = (32, 65536) if qwen3 else (28, 3136)
    told = pixel_bounds(width, height, bound=bound, cell=cell, least=least)
    tall, wide = smart_resize(height, width, cell, told["shortest_edge"], told["longest_edge"])
    assert 0 < tall * wide <= bound * cell**2


def test_a_small_picture_is_not_enlarged_beyond_what_the_processor_asks():
    told = pixel_bounds(160, 90, bound=256, cell=28, least=3136)
    assert told == {"shortest_edge": 3136, "longest_edge": 256 * 28**2}
    assert smart_resize(90, 160, 28, *told.values()) == (84, 168)


@pytest.mark.parametrize(("cell", "least", "tokens"), [(28, 3136, 1196), (32, 65536, 880)])
def test_a_frame_of_720p_is_shown_as_it_is_where_its_size_allows(cell, least, tokens):
    told = pixel_bounds(1280, 720, bound=16384, cell=cell, least=least)
    tall, wide = smart_resize(720, 1280, cell, told["shortest_edge"], told["longest_edge"])
    assert tall * wide == tokens * cell**2


@pytest.mark.parametrize(
    ("says", "pixels"),
    [
        ({"max_pixels": 50176, "size": {"longest_edge": 1}}, 50176),
        ({"size": {"shortest_edge": 1, "longest_edge": 65536}}, 65536),
        ({"size": {"min_pixels": 1, "max_pixels": 65536}}, 65536),
        ({}, 28 * 28 * 1280),
    ],
)
def test_the_checkpoints_own_bound_is_found_where_folders_have_it(says, pixels):
    assert most_pixels(says) == pixels


def test_a_folder_that_names_an_image_processor_of_old_loads(tmp_path, tmp_path_factory):
    """As the first revision of Qwen2.5-VL does, and everything fine-tuned from it."""
    folder = tmp_path / "tuned"
    shutil.copytree(shared_checkpoint(shared_folder(tmp_path_factory), "qwen2.5-vl-7b"), folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_processor_type": "Qwen2_5_VLImageProcessor"}))
    assert type(load(folder)._family.image_processor) is Qwen2VLImageProcessorPil


@pytest.mark.parametrize("name", ["qwen2.5-vl-3b", "qwen3-vl-8b"])
def test_of_a_quantized_model_only_the_layers_of_the_language_model_are(name, tmp_path_factory):
    """Not as the family's own list has it, but by where modules lie."""
    model = load(shared_checkpoint(shared_folder(tmp_path_factory), name), "nf4")._family.model
    quantized = quantized_modules(model)
    assert all(module.startswith("model.language_model.layers.") for module in quantized), quantized
    assert len(quantized) == 7 * model.config.get_text_config().num_hidden_layers


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_dimensions(name):
    folder = Path(str(resources.files("vlmd.catalog"))) / name.replace("/", "--")
    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    served = family(config.architectures[0])
    billions, kib = PUBLISHED[name]
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e9 == pytest.approx(billions, rel=0.002)
    assert served.kv_elements(config) * 2 == kib * 1024
    sizes, preferred = served.sizes(config, processing(folder))
    assert (sizes[preferred].tokens, sizes[preferred].most) == (254, 258)
    assert [size.most - 2 for size in sizes] == [64, 128, 256, 512, 1024, 2048, 4096, 16384]
    assert sizes[preferred].edge == (588 if "2.5" in name else 672)
