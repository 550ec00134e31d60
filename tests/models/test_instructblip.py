"""InstructBLIP: one panorama for a window, a Q-Former that hears the question, image tokens before the text begins."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from tests.models.checkpoints import load, pictures, shared_checkpoint, shared_folder
from vlmd.core.errors import WorkerError
from vlmd.worker.models.base import Asked
from vlmd.worker.models.instructblip import HEIGHT, InstructBlip, panorama

PROMPTS = [
    "Which of these events do they show? Goal, Corner, Foul.",
    "What happens?",
    "If they show none of these events, write only the word None.",
]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> InstructBlip:
    engine = load(shared_checkpoint(shared_folder(tmp_path_factory), "instructblip"))
    assert isinstance(engine._family, InstructBlip)
    return engine._family


@pytest.fixture(scope="module")
def processor(family):
    return AutoProcessor.from_pretrained(family.model.name_or_path)


def asked(family: InstructBlip, seed: int, prompt: str, count: int = 2) -> Asked:
    shown = pictures(seed, count)
    size = family.sizes(family.model.config, {"size": {"height": 56, "width": 56}})[0][0]
    return Asked(prompt, family.encode(shown, size))


def first_logits(family: InstructBlip, rows: list[Asked]) -> torch.Tensor:
    return last(family.generator(**inputs_of(family, rows)).logits)


def inputs_of(family: InstructBlip, rows: list[Asked]) -> dict[str, torch.Tensor]:
    """`input_ids` tell `generate` what was asked; forward takes only one of the two."""
    return {name: tensor for name, tensor in family.prepare(rows).items() if name != "input_ids"}


def last(logits: torch.Tensor) -> torch.Tensor:
    return logits[:, -1].float()


def test_a_panorama_is_the_frames_from_left_to_right():
    left, right = np.zeros((144, 256, 3), np.uint8), np.full((288, 512, 3), 255, np.uint8)
    joined = np.asarray(panorama([left, right]))
    assert joined.shape == (HEIGHT, 2 * round(256 * HEIGHT / 144), 3)
    half = joined.shape[1] // 2
    assert not joined[:, :half].any() and (joined[:, half:] == 255).all()


@torch.inference_mode()
def test_it_is_the_models_own_forward_with_the_panorama(family, processor):
    """The plain path: transformers' processor and the whole model, one window at a time."""
    for seed, prompt in enumerate(PROMPTS):
        row = asked(family, seed, prompt)
        picture = panorama([frame.embeds.numpy() for frame in row.frames])
        plain = processor(images=picture, text=prompt, return_tensors="pt")
        assert family.prepare([row])["input_ids"].tolist() == plain["input_ids"].tolist()
        expected = last(family.model(**plain).logits)
        torch.testing.assert_close(first_logits(family, [row]), expected, atol=1e-4, rtol=1e-4)
        reversed_frames = Asked(prompt, row.frames[::-1])
        assert (first_logits(family, [reversed_frames]) - expected).abs().max() > 1e-2, "the control must differ"


@torch.inference_mode()
def test_the_question_changes_what_is_seen(family):
    picture = family.pixels(pictures(3, 2), None)["pixel_values"]
    seen = [family.model.get_image_features(picture, **family.questioned([prompt])).pooler_output for prompt in PROMPTS]
    assert (seen[0] - seen[1]).abs().max() > 1e-2


@torch.inference_mode()
def test_the_qformers_text_must_be_padded_on_the_right(family, processor):
    """Padded on the left, as transformers' processor would for a batch, the shorter questions are heard otherwise."""
    picture = family.pixels(pictures(4, 2), None)["pixel_values"].expand(len(PROMPTS), -1, -1, -1)
    together = family.model.get_image_features(picture, **family.questioned(PROMPTS)).pooler_output
    wrong = processor(images=[np.zeros((56, 56, 3), np.uint8)] * 3, text=PROMPTS, padding=True, padding_side="left",
                      return_tensors="pt")  # fmt: skip
    lefts = {name: wrong[name] for name in ("qformer_input_ids", "qformer_attention_mask")}
    on_the_left = family.model.get_image_features(picture, **lefts).pooler_output
    for row, prompt in enumerate(PROMPTS):
        alone = family.model.get_image_features(picture[:1], **family.questioned([prompt])).pooler_output[0]
        torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=1e-4)
    shortest = PROMPTS.index("What happens?")
    assert (on_the_left[shortest] - together[shortest]).abs().max() > 1e-2, "the control must differ"


@torch.inference_mode()
def test_beams_are_those_of_the_models_own_generate(family, processor):
    """Five beams and ten tokens at the least, alone and in a batch."""
    options = {"num_beams": 5, "min_new_tokens": 10, "max_new_tokens": 12, "do_sample": False}
    rows = [asked(family, 10 + seed, prompt) for seed, prompt in enumerate(PROMPTS)]
    together = answers(family, rows, options)
    for row, prompt, answer in zip(rows, PROMPTS, together, strict=True):
        picture = panorama([frame.embeds.numpy() for frame in row.frames])
        plain = processor(images=picture, text=prompt, return_tensors="pt")
        expected = family.model.generate(**plain, **options)[0, plain["input_ids"].shape[1] :]
        assert len(expected) >= 10
        assert answers(family, [row], options) == [stripped(family, expected)] == [answer]


def answers(family: InstructBlip, rows: list[Asked], options: dict) -> list[list[int]]:
    inputs = family.prepare(rows)
    width = inputs["input_ids"].shape[1]
    output = family.generate(inputs, **options)
    assert output[:, :width].tolist() == inputs["input_ids"].tolist(), "prompt and answer, as for every family"
    return [stripped(family, row[width:]) for row in output]


def stripped(family: InstructBlip, answer: torch.Tensor) -> list[int]:
    """Without what a shorter answer is filled up with."""
    ends = {family.tokenizer.eos_token_id, family.tokenizer.pad_token_id}
    return [token for token in answer.tolist() if token not in ends]


@torch.inference_mode()
def test_a_prompt_longer_than_the_qformer_hears_is_cut_there_alone(family):
    """The Q-Former has 64 positions here, 512 in the published checkpoint; the language model gets all of it."""
    long = "Which of these events do they show? " * 40
    heard = family.questioned([long])["qformer_input_ids"]
    assert heard.shape == (1, 64)
    tokens = family.prepare([asked(family, 20, long)])["input_ids"]
    assert tokens.shape[1] > 64 + 40
    assert first_logits(family, [asked(family, 20, long)]).isfinite().all()


@torch.inference_mode()
def test_an_image_token_in_the_question_is_no_picture(family):
    plain, marked = (
        family.prepare([asked(family, 21, prompt)]) for prompt in ("What happens?", "What <image>happens?")
    )
    assert plain["input_ids"].tolist() == marked["input_ids"].tolist()


@torch.inference_mode()
def test_rows_with_and_without_frames_share_a_batch(family):
    with_frames, without = asked(family, 22, "What happens?"), Asked("Who is on the pitch?", [])
    together = first_logits(family, [with_frames, without])
    for row, one in enumerate((with_frames, without)):
        torch.testing.assert_close(together[row], first_logits(family, [one])[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("index", "said"), [(None, "no image_token_index"), (512, "none of the model's tokens")])
def test_a_revision_without_a_usable_image_token_is_refused(tmp_path, tmp_path_factory, index, said):
    folder = shutil.copytree(shared_checkpoint(shared_folder(tmp_path_factory), "instructblip"), tmp_path / "old")
    config = json.loads((folder / "config.json").read_text()) | {"image_token_index": index}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WorkerError, match=said):
        load(folder)


def test_answers_end_where_the_tokenizer_says(family):
    """The published configuration of the language model has other numbers, under which no answer would end."""
    assert family.model.config.text_config.eos_token_id != family.tokenizer.eos_token_id
    assert family.generator.generation_config.eos_token_id == family.tokenizer.eos_token_id == 2


@pytest.fixture
def padded_with_images(family):
    """Revisions differ in which number the image token has; padding may have it, too."""
    usual = family.tokenizer.pad_token
    yield lambda: setattr(family.tokenizer, "pad_token", family.image_token)
    family.tokenizer.pad_token = usual


@torch.inference_mode()
def test_a_padding_token_is_no_picture_even_under_the_same_number(family, padded_with_images):
    rows = [asked(family, 30, "What happens?"), asked(family, 31, PROMPTS[0])]
    expected = first_logits(family, rows)
    padded_with_images()
    assert family.prepare(rows)["input_ids"][0, 0] == family.model.config.image_token_id
    torch.testing.assert_close(first_logits(family, rows), expected, atol=1e-4, rtol=1e-4)
