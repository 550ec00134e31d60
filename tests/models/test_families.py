"""Every family, on a tiny checkpoint of its real architecture: what it promises of frames, batches and precisions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import MAKERS
from transformers import AutoProcessor

from tests.models.checkpoints import (
    again,
    answers,
    generated,
    load,
    pictures,
    question,
    shared_checkpoint,
    shared_folder,
)
from vlmd.core.figures import FrameSize
from vlmd.worker.engine import Engine
from vlmd.worker.loading import below, quantized_modules
from vlmd.worker.models.base import Asked, Frame
from vlmd.worker.questions import Question
from vlmd.worker.sizing import processing

SHAPES = [(256, 144), (144, 256), (176, 176), (320, 64)]
"""Widths and heights of pictures."""

_engines: dict[str, Engine] = {}


@pytest.fixture(params=MAKERS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_checkpoint(shared_folder(tmp_path_factory), request.param)


@pytest.fixture
def engine(checkpoint: Path) -> Engine:
    """Loaded once in each process, in fp32."""
    if checkpoint.name not in _engines:
        _engines[checkpoint.name] = load(checkpoint)
    return _engines[checkpoint.name]


@pytest.fixture
def apart(engine: Engine) -> None:
    """For families whose frames have features of their own, before anything is asked."""
    if engine._family.shared:
        pytest.skip("its frames are one picture, seen in the light of the question; tested by itself")


@pytest.fixture
def questions() -> list[Question]:
    """Of uneven lengths: 6, 6 and 4 frames, longer and shorter prompts."""
    return [
        question(pictures(1, 6), "Which of these events do they show? Goal, Corner, Foul."),
        question(pictures(2, 6), "Describe the scene."),
        question(pictures(3, 4), "If they show none of these events, write only the word None."),
    ]


def sizes(engine: Engine) -> list[FrameSize]:
    return engine._family.sizes(engine._family.model.config, processing(Path(engine.spec.path)))[0]


def logits(engine: Engine, asked: list[Question]) -> torch.Tensor:
    """(rows, vocabulary): what a batch says of each row's first token."""
    return engine.first_logits(asked)


@torch.inference_mode()
def test_a_batch_is_what_its_rows_are_alone(engine, questions):
    together = logits(engine, questions)
    for row, asked in enumerate(questions):
        torch.testing.assert_close(together[row], logits(engine, [again(asked)])[0], atol=1e-4, rtol=1e-4)
        reversed_frames = again(asked, lambda shown: shown[::-1])
        assert (logits(engine, [reversed_frames])[0] - together[row]).abs().max() > 1e-2, "the control must differ"


def test_a_batch_answers_what_its_rows_answer_alone(engine, questions):
    together = answers(engine, [again(asked) for asked in questions])
    alone = [answers(engine, [again(asked)])[0] for asked in questions]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert [reply.prompt_tokens for reply in together] == [reply.prompt_tokens for reply in alone]
    assert all(reply.finite and reply.tokens for reply in alone)


def test_beams_find_in_a_batch_what_they_find_alone(engine, questions):
    """Every beam sees the frames of its own row; rows have different numbers of them."""
    together = answers(engine, [generated(asked, beams=2) for asked in questions])
    alone = [answers(engine, [generated(asked, beams=2)])[0] for asked in questions]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert len({reply.text for reply in alone}) > 1, "the control must differ"


def test_what_is_drawn_in_a_batch_is_drawn_alone(engine, questions):
    drawn = [generated(asked, temperature=1.0, top_p=0.9) for asked in questions]
    together = [reply.text for reply in answers(engine, drawn)]
    assert together == [answers(engine, [again(asked)])[0].text for asked in drawn]
    seeded = [generated(asked, temperature=1.0, top_p=0.9, seed=1) for asked in questions]
    assert together != [reply.text for reply in answers(engine, seeded)], "the control must differ"


@torch.inference_mode()
def test_a_frame_takes_the_tokens_that_were_promised(engine):
    family = engine._family
    counted = 1 if family.shared else 2
    for size in sizes(engine):
        wide = (size.edge, round(size.edge * 9 / 16))
        assert abs(tokens_of(engine, family.encode(pictures(4, 2, *wide), size)) - counted * size.tokens) <= 2, size
        for width, height in SHAPES:
            taken = tokens_of(engine, family.encode(pictures(4, 2, width, height), size))
            assert taken <= counted * size.most, (size, width, height)


def tokens_of(engine: Engine, frames: list[Frame]) -> int:
    """What these frames add to a prompt."""
    family = engine._family
    texts = [family.expanded(Asked("What?", shown)) for shown in (frames, [])]
    with_frames, without = (family.tokenize([text])["input_ids"].shape[1] for text in texts)
    return int(with_frames - without)


@torch.inference_mode()
def test_features_of_a_frame_are_those_it_has_among_others(engine, apart):
    """Encoded alone, with others, and by the window before: all the same."""
    family, size = engine._family, sizes(engine)[-1]
    shown = pictures(5, 4)
    together = family.encode(shown, size)
    for picture, frame in zip(shown, together, strict=True):
        torch.testing.assert_close(family.encode([picture], size)[0].embeds, frame.embeds, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_remembered_features_are_what_the_model_computes_itself(engine, apart):
    """The plain path: pixels through the model's own forward."""
    family, shown = engine._family, pictures(6, 5)
    size = sizes(engine)[-1]
    inputs = family.prepare([Asked("What happens?", family.encode(shown, size))])
    pixels = {name: family.place(tensor) for name, tensor in family.pixels(shown, size).items() if name != "grid"}
    plain = {name: tensor for name, tensor in inputs.items() if name != "mm_encoder_outputs"} | pixels
    expected = family.model(**plain).logits[0, -1]
    torch.testing.assert_close(family.model(**inputs).logits[0, -1], expected, atol=1e-4, rtol=1e-4)
    other = family.prepare([Asked("What happens?", family.encode(shown[::-1], size))])
    assert (family.model(**other).logits[0, -1] - expected).abs().max() > 1e-2, "the control must differ"


def test_the_prompt_is_the_one_that_transformers_own_processor_writes(engine, apart):
    family, shown = engine._family, pictures(7, 3)
    try:
        processor = AutoProcessor.from_pretrained(engine.spec.path, trust_remote_code=False)
    except (ImportError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        if "torchvision" in str(error).lower():
            pytest.skip(f"its processor needs torchvision: {said}")
        assert "contains custom code" in said
        pytest.skip("transformers has no processor of its own; the family's is compared with the published one's rules")
    text = family.chat("What happens?", len(shown))
    begun = processor.tokenizer.bos_token is not None and text.startswith(processor.tokenizer.bos_token)
    images = [[Image.fromarray(picture) for picture in shown]]
    expected = processor(text=[text], images=images, return_tensors="pt", add_special_tokens=not begun)
    ours = family.prepare([Asked("What happens?", family.encode(shown, sizes(engine)[-1]))])
    assert ours["input_ids"].tolist() == expected["input_ids"].tolist()


@torch.inference_mode()
def test_windows_that_overlap_share_their_frames(engine):
    """Three windows of one lease show 8 frames, 4 each; every frame goes through the vision tower once."""
    film, before = pictures(8, 8), engine._frames.encoded
    first = question(film[0:4], "What happens?")
    windows = [replace_window(first, film, start) for start in (0, 2, 4)]
    shared = logits(engine, windows)
    assert engine._frames.encoded - before == 8
    for row, asked in enumerate(windows):
        torch.testing.assert_close(shared[row], logits(engine, [again(asked)])[0], atol=1e-4, rtol=1e-4)
    engine.forget(first.run.lease)
    assert len(engine._frames) == 0 or all(key[0] != first.run.lease for key in engine._frames._kept)


def replace_window(asked: Question, film: list, start: int) -> Question:
    return replace(asked, pictures=film[start : start + 4], pts=list(range(start, start + 4)))


@pytest.mark.parametrize("precision", ["nf4", "int8", "bf16"])
def test_it_answers_in_every_precision(checkpoint, precision):
    """Vision tower and projector keep theirs, and so does the last layer."""
    engine = load(checkpoint, precision)
    model = engine._family.model
    quantized = quantized_modules(model)
    assert bool(quantized) == (precision in ("nf4", "int8"))
    kept = [*engine._family.unquantized, "*lm_head"]
    assert not [name for name in quantized if any(below(name, path) for path in kept)]
    if quantized:
        layers = [name for name in quantized if ".layers." in name]
        assert len(layers) >= 2 * 6, "the language model's layers are what is quantized"
    (reply,) = answers(engine, [question(pictures(9, 3), "What happens?")])
    assert reply.finite and reply.tokens
