"""Phi-3.5-Vision's pictures and prompts: cut, counted and put into words as the published processor does."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import phi3v as tiny

from vlmd.worker.models.phi3v import pictures, prompts
from vlmd.worker.models.phi3v.pictures import Cutter

CUTTER = Cutter.of(56, tiny.preprocessor())


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
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phi3v")
    tiny.make(folder)
    return prompts.load_tokenizer(str(folder))


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
    squares, (height, width) = Cutter(56, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).cut(shown, 4)
    assert squares.shape == (5, 3, 56, 56) and (height, width) == (112, 112)
    values = torch.from_numpy(np.array(shown)).permute(2, 0, 1) / 255
    upper, lower = torch.cat((squares[1], squares[2]), dim=2), torch.cat((squares[3], squares[4]), dim=2)
    assert torch.equal(torch.cat((upper, lower), dim=1), values)
    assert (squares[0] - torch.nn.functional.avg_pool2d(values, 2)).abs().mean() < 0.1


def test_what_is_missing_to_whole_squares_is_white_on_both_ends():
    squares, (height, width) = CUTTER.cut(Image.new("RGB", (128, 72), "black"), 4)
    assert (height, width) == (112, 112)
    red = torch.cat((torch.cat((squares[1], squares[2]), 2), torch.cat((squares[3], squares[4]), 2)), 1)[0]
    white, black = (1 - CUTTER.mean[0]) / CUTTER.std[0], -CUTTER.mean[0] / CUTTER.std[0]
    rows = [white] * 24 + [black] * 63 + [white] * 25
    assert torch.allclose(red, torch.tensor(rows)[:, None].expand(112, 112), atol=1e-5)


def test_a_portrait_is_the_transposed_landscape():
    shown = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8))
    lying, (height, width) = CUTTER.cut(shown, 6)
    upright, size = CUTTER.cut(shown.transpose(Image.Transpose.TRANSPOSE), 6)
    assert size == (width, height)
    rows, columns = height // 56, width // 56
    again = lying[1:].unflatten(0, (rows, columns)).permute(1, 0, 2, 4, 3).flatten(0, 1)
    assert torch.equal(upright[1:], again)


@pytest.mark.parametrize("size", [(4000, 2), (2, 4000), (1, 1)])
def test_a_line_of_pixels_is_a_picture_too(size):
    squares, _ = CUTTER.cut(Image.new("RGB", size), 4)
    assert len(squares) == 1 + np.prod(pictures.grid(*size, 4, edge=56))


def test_a_chat_has_a_place_for_each_picture_in_the_published_form(tokenizer):
    text = "<|user|>\n<|image_1|>\n<|image_2|>\nName every event<|end|>\n<|assistant|>\n"
    assert prompts.chat(tokenizer, "Name every event", 2) == text
    template, tokenizer.chat_template = tokenizer.chat_template, None
    assert prompts.chat(tokenizer, "Name every event", 2) == text
    tokenizer.chat_template = template


def test_text_between_pictures_is_tokenised_by_itself(tokenizer):
    text = prompts.expanded(prompts.chat(tokenizer, "Name every event", 2), [3, 2])
    ids = prompts.token_ids(tokenizer, text)
    tokens = tokenizer.convert_ids_to_tokens(ids)
    line = ["▁", "<0x0A>"]
    assert tokens[:9] == ["<s>", "<|user|>", *line, *["<|image|>"] * 3, "<s>", "▁"]
    assert tokens[9:14] == ["<0x0A>", "<|image|>", "<|image|>", "<s>", "▁"]
    assert tokens[-6:] == ["<|end|>", *line, "<|assistant|>", *line]
    assert tokenizer.decode(ids[-12:]).endswith("event<|end|> \n<|assistant|> \n")


def test_what_a_question_says_itself_is_no_picture(tokenizer):
    asked = prompts.chat(tokenizer, "what is <|image_1|> and <|image|>?", 1)
    assert asked == prompts.chat(tokenizer, "what is  and ?", 1)


def test_a_template_that_shows_other_pictures_is_refused():
    with pytest.raises(ValueError, match="places for pictures"):
        prompts.expanded("<|image_2|> <|image_1|>", [1, 1])
    with pytest.raises(ValueError, match="places for pictures"):
        prompts.expanded("<|image_1|>", [1, 1])


def test_rows_are_filled_up_on_the_left(tokenizer):
    batch = prompts.padded(tokenizer, [[5, 6, 7], [8]])
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert batch["input_ids"][1, -1] == 8


def test_the_end_of_a_turn_ends_an_answer(tokenizer):
    assert set(tokenizer.convert_ids_to_tokens(prompts.ends(tokenizer))) == {"<|endoftext|>", "<|end|>"}


def test_another_models_tokenizer_is_refused(tmp_path):
    tiny.make(tmp_path)
    words = (tmp_path / "tokenizer.json").read_text().replace("<|image|>", "<|picture|>")
    (tmp_path / "tokenizer.json").write_text(words)
    with pytest.raises(ValueError, match="not that of a Phi-3 Vision"):
        prompts.load_tokenizer(str(tmp_path))
