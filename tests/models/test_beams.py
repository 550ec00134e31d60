"""Beam search on the shipped model: transformers' own answers, with log-probabilities, loops and limits of ours."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.checkpoints import broken
from tests.models.test_engine import answers, load, question
from tests.models.test_generation import asked, texts
from vlmd.demo.game import plan_match
from vlmd.demo.render import draw_frames
from vlmd.worker.engine import Engine
from vlmd.worker.questions import Question, Reply


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


@pytest.fixture(scope="module")
def windows() -> list[Question]:
    """Two events, two without; of 15 and of 9 pictures."""
    pictures = [np.asarray(picture)[::2, ::2] for picture in draw_frames(plan_match(40_000, 60), 5)]
    starts = [event.start_ms // 200 for event in plan_match(40_000, 60).events()[:2]] + [0, 30]
    return [question(pictures[at : at + (9 if at % 2 else 15)]) for at in starts]


@pytest.mark.parametrize("way", [{"beams": 3}, {"beams": 4, "min_new_tokens": 12}, {"beams": 2, "max_new_tokens": 7}])
def test_beams_find_what_transformers_finds_in_any_batch(
    engine: Engine, windows: list[Question], way: dict[str, Any]
) -> None:
    batch = asked(windows, **way)
    together = texts(answers(engine, batch))
    assert together == [answers(engine, [one])[0].text for one in batch]
    assert together == [plain(engine, one, way) for one in batch]


def plain(engine: Engine, one: Question, way: dict[str, Any]) -> str:
    inputs = engine._prepare([one], lambda rows: None)
    options = {"max_new_tokens": 96, "do_sample": False} | {key: value for key, value in way.items() if key != "beams"}
    with torch.inference_mode():
        said = engine._family.generate(inputs, num_beams=way["beams"], **options)
    text: str = engine._family.tokenizer.decode(said[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text


def test_beams_find_what_is_likelier_than_the_greedy_answer(engine: Engine, windows: list[Question]) -> None:
    """Or as likely, where the greedy one is the likeliest. Compared by the mean over the tokens, as beams are."""
    means = []
    for beams in (1, 5):
        replies = answers(engine, asked(windows, beams=beams, min_new_tokens=12))
        means.append([np.mean([token.logprob for token in reply.tokens]) for reply in replies])
    assert all(searched >= greedy - 1e-4 for greedy, searched in zip(*means, strict=True))


def test_cut_answers_say_why(engine: Engine, windows: list[Question]) -> None:
    short = answers(engine, asked(windows[:1], beams=3, max_new_tokens=7))[0]
    assert (short.finish, len(short.tokens)) == ("length", 7)
    replies: dict[int, Reply] = {}
    batch = asked(windows[:1], beams=3, seconds=1.0)
    engine.answer(batch, lambda rows: time.sleep(0.2), replies.__setitem__)
    assert replies[0].finish == "time" and 1 <= len(replies[0].tokens) < 20
    assert answers(engine, asked(windows[:1], beams=3))[0].text.startswith(replies[0].text)


def test_rows_keep_their_own_limits(engine: Engine, windows: list[Question]) -> None:
    batch = [*asked(windows[:1], beams=3, max_new_tokens=7), *asked(windows[1:2], beams=3)]
    alone = [answers(engine, [one])[0] for one in batch]
    assert texts(answers(engine, batch)) == texts(alone)


def test_beams_that_go_round_in_circles_are_ended(windows: list[Question], tmp_path: Any) -> None:
    def forget(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            if name.endswith("text_model.norm.weight"):
                weights[name] = torch.zeros_like(weights[name])

    (reply,) = answers(load(broken(tmp_path, forget)), asked(windows[:1], beams=2, max_new_tokens=300))
    assert reply.finish == "loop" and len(reply.tokens) < 300


def test_features_are_repeated_for_every_beam(engine: Engine, windows: list[Question]) -> None:
    """The plain path, pixels through the model's own encoder, says the same; each window, so no other's frames."""
    replies = texts(answers(engine, asked(windows, beams=3)))
    assert replies == [plain_pixels(engine, one) for one in windows]
    assert len(set(replies)) == 3


def plain_pixels(engine: Engine, one: Question) -> str:
    family, size = engine._family, engine._sizing.of(one.run.recipe)
    inputs = engine._prepare([one], lambda rows: None)
    pixels = {name: family.place(tensor) for name, tensor in family.pixels(one.pictures, size).items()}
    del inputs["mm_encoder_outputs"], pixels["grid"]
    with torch.inference_mode():
        said = family.model.generate(**inputs, **pixels, num_beams=3, max_new_tokens=96, do_sample=False)
    text: str = family.tokenizer.decode(said[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text
