"""Phi-3.5-Vision's pictures and prompts: cut, counted and put into words as the published processor does."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import phi3v as tiny

from vlmd.worker.models.phi3v import pictures
from vlmd.worker.models.phi3v.configuration import Phi3VConfig
from vlmd.worker.models.phi3v.processor import Phi3VProcessor

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def published_size(width: int, height: int, crops: int) -> tuple[int, int]:
    """Width and height after the published transform, by its own description: grow until it does not fit, one back."""
    if width < height:
        across, along = published_size(height, width, crops)
        return along, across
    scale = 1
    while scale * np.ceil(scale / (width / height)) <= crops:
        scale += 1
    wide = (scale - 1) * 336
    return wide, int(np.ceil(int(wide / (width / height)) / 336) * 336)


@pytest.fixture(scope="module")
def processor(tmp_path_factory) -> Phi3VProcessor:
    folder = tmp_path_factory.mktemp("phi3v")
    tiny.make(folder)
    return Phi3VProcessor.from_pretrained(str(folder), Phi3VConfig.from_pretrained(folder))


@pytest.mark.parametrize(
    ("size", "crops", "tokens"),
    [
        ((1280, 720), 4, 757),
        ((1300, 876), 16, 1921),
        ((1300, 876), 4, 757),
        ((1280, 720), 1, 313),
        ((336, 336), 1, 313),
        ((720, 1280), 4, 757),
        ((50, 8000), 16, 2653),
    ],
)
def test_a_picture_has_as_many_tokens_as_published(size, crops, tokens):
    assert pictures.tokens(*pictures.grid(*size, crops, edge=336), side=12) == tokens


@pytest.mark.parametrize("crops", [1, 2, 4, 9, 16])
def test_any_picture_is_cut_into_the_published_grid(crops):
    sizes = np.random.default_rng(crops).integers(1, 4000, (300, 2)).tolist()
    for width, height in [*sizes, (640, 480), (480, 640), (96, 54), (1000, 1000)]:
        if max(width, height) > 300 * min(width, height):
            continue
        wide, high = published_size(width, height, crops)
        rows, columns = pictures.grid(width, height, crops, edge=336)
        assert (rows, columns) == (high // 336, wide // 336), (width, height)
        assert rows * columns <= crops


def test_squares_lie_in_reading_order_after_the_whole_picture():
    shown = Image.fromarray(np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8))
    squares, (height, width) = pictures.cut(shown, 4, 56, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert squares.shape == (5, 3, 56, 56) and (height, width) == (112, 112)
    values = torch.from_numpy(np.array(shown)).permute(2, 0, 1) / 255
    upper, lower = torch.cat((squares[1], squares[2]), dim=2), torch.cat((squares[3], squares[4]), dim=2)
    assert torch.equal(torch.cat((upper, lower), dim=1), values)
    assert (squares[0] - torch.nn.functional.avg_pool2d(values, 2)).abs().mean() < 0.1


def test_what_is_missing_to_whole_squares_is_white_on_both_ends():
    squares, (height, width) = pictures.cut(Image.new("RGB", (128, 72), "black"), 4, 56, MEAN, STD)
    assert (height, width) == (112, 112)
    red = torch.cat((torch.cat((squares[1], squares[2]), 2), torch.cat((squares[3], squares[4]), 2)), 1)[0]
    white, black = (1 - MEAN[0]) / STD[0], -MEAN[0] / STD[0]
    rows = [white] * 24 + [black] * 63 + [white] * 25
    assert torch.allclose(red, torch.tensor(rows)[:, None].expand(112, 112), atol=1e-5)


def test_a_portrait_is_the_transposed_landscape():
    shown = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8))
    lying, (height, width) = pictures.cut(shown, 6, 56, MEAN, STD)
    upright, size = pictures.cut(shown.transpose(Image.Transpose.TRANSPOSE), 6, 56, MEAN, STD)
    assert size == (width, height)
    rows, columns = height // 56, width // 56
    again = lying[1:].unflatten(0, (rows, columns)).permute(1, 0, 2, 4, 3).flatten(0, 1)
    assert torch.equal(upright[1:], again)


@pytest.mark.parametrize("size", [(4000, 2), (2, 4000), (1, 1)])
def test_a_line_of_pixels_is_a_picture_too(size):
    squares, _ = pictures.cut(Image.new("RGB", size), 4, 56, MEAN, STD)
    assert len(squares) == 1 + np.prod(pictures.grid(*size, 4, edge=56))


def test_fewer_crops_make_fewer_tokens(processor):
    counts = []
    for crops in (4, 2, 1):
        processor.crops = crops
        values, sizes = processor.pixels([Image.new("RGB", (128, 72))])
        assert len(values[0]) == 1 + int(sizes[0].prod()) // 56**2
        counts.append(processor.tokens(128, 72))
    processor.crops = 4
    assert counts == sorted(counts, reverse=True) and len(set(counts)) > 1


def test_a_chat_has_a_place_for_each_picture_in_the_published_form(processor):
    text = "<|user|>\n<|image_1|>\n<|image_2|>\nName every event<|end|>\n<|assistant|>\n"
    assert processor.chat("Name every event", 2) == text
    template, processor.tokenizer.chat_template = processor.tokenizer.chat_template, None
    assert processor.chat("Name every event", 2) == text
    processor.tokenizer.chat_template = template


def test_text_between_pictures_is_tokenised_by_itself(processor):
    ids = processor.ids(processor.chat("Name every event", 2), [3, 2])
    tokens = processor.tokenizer.convert_ids_to_tokens(ids)
    line = ["▁", "<0x0A>"]
    assert tokens[:9] == ["<s>", "<|user|>", *line, *["<|image|>"] * 3, "<s>", "▁"]
    assert tokens[9:14] == ["<0x0A>", "<|image|>", "<|image|>", "<s>", "▁"]
    assert tokens[-6:] == ["<|end|>", *line, "<|assistant|>", *line]
    assert processor.tokenizer.decode(ids[-12:]).endswith("event<|end|> \n<|assistant|> \n")


@pytest.mark.parametrize(
    ("prompt", "error"),
    [("what is <|image_1|>?", "places for pictures"), ("what is <|image|>?", "stands for pictures only")],
)
def test_a_prompt_that_names_pictures_itself_is_refused(processor, prompt, error):
    with pytest.raises(ValueError, match=error):
        processor.ids(processor.chat(prompt, 1), [3])


def test_rows_are_filled_up_on_the_left(processor):
    batch = processor.padded([[5, 6, 7], [8]])
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["input_ids"][1, -1] == 8


def test_the_end_of_a_turn_ends_an_answer(processor):
    names = processor.tokenizer.convert_ids_to_tokens(processor.ends)
    assert set(names) == {"<|endoftext|>", "<|end|>"}


def test_another_models_tokenizer_is_refused(processor):
    config = Phi3VConfig.from_dict(tiny.config(vocabulary=5, switch=64, longest=2048))
    with pytest.raises(ValueError, match="not a Phi-3 Vision one"):
        Phi3VProcessor(processor.tokenizer, config, tiny.preprocessor())
