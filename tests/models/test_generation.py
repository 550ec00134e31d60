"""How answers are generated on the shipped model: drawn, penalized, bounded; each depends on its window alone."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from transformers import GenerationConfig

from tests.models.test_engine import MODEL, answers, load, question
from vlmd.core.recipe import Generation
from vlmd.demo.game import plan_match
from vlmd.demo.render import draw_frames
from vlmd.worker.engine import Engine
from vlmd.worker.generation.replies import Replies
from vlmd.worker.models.base import Asked, Frame, Inputs
from vlmd.worker.questions import Question, Reply

HOT = {"temperature": 2.5, "max_new_tokens": 40}
"""The shipped model is so sure of itself that it says the same at 1."""
WAYS = [{}, HOT, {"beams": 3}]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load()


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [np.asarray(picture)[::2, ::2] for picture in draw_frames(plan_match(40_000, 60), 5)]


@pytest.fixture(scope="module")
def windows(pictures: list[np.ndarray]) -> list[Question]:
    """Of 15 and of 9 pictures, the first four with an event."""
    starts = [event.start_ms // 200 for event in plan_match(40_000, 60).events()[:4]] + [0, 30, 60, 90]
    shown = [question(pictures[at : at + (9 if at % 2 else 15)]) for at in starts]
    return [replaced(one, at * 1000) for at, one in enumerate(shown)]


def replaced(one: Question, start_ms: int) -> Question:
    window = replace(one.window, start_ms=start_ms, end_ms=start_ms + 3000)
    return Question(one.run, window, one.pts, one.pictures, one.prompt, 0)


def asked(windows: list[Question], **generation: Any) -> list[Question]:
    """The same windows, to be generated otherwise."""
    way = Generation(**({"max_new_tokens": 96} | generation))
    recipes = [replace(one.run.recipe, generation=way) for one in windows]
    runs = [replace(one.run, recipe=recipe) for one, recipe in zip(windows, recipes, strict=True)]
    return [
        Question(run, one.window, one.pts, one.pictures, one.prompt, 0) for run, one in zip(runs, windows, strict=True)
    ]


def texts(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


# --- drawing -----------------------------------------------------------------------------------------------


def test_what_is_drawn_depends_on_the_window_alone(engine: Engine, windows: list[Question]) -> None:
    hot = asked(windows, **HOT)
    together = texts(answers(engine, hot))
    assert [answers(engine, [one])[0].text for one in hot] == together
    assert texts(answers(engine, hot[::-1])) == together[::-1]
    assert together != texts(answers(engine, asked(windows, max_new_tokens=40))), "nothing was drawn at all"


def test_another_seed_or_another_window_draws_otherwise(engine: Engine, windows: list[Question]) -> None:
    hot = asked(windows[:1], **HOT)
    others = [*asked(windows[:1], seed=1, **HOT), replaced(hot[0], 77_000)]
    said = [answers(engine, [one])[0].text for one in [*hot, *hot, *others]]
    assert said[0] == said[1]
    assert len(set(said)) == 3


def test_among_the_very_likeliest_there_is_no_choice(engine: Engine, windows: list[Question]) -> None:
    greedy = texts(answers(engine, asked(windows[:4], max_new_tokens=40)))
    assert texts(answers(engine, asked(windows[:4], **HOT | {"top_p": 1e-9}))) == greedy


# --- log-probabilities -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [*WAYS, {"repetition_penalty": 3.0, "max_new_tokens": 40}, {"min_new_tokens": 12}])
def test_log_probabilities_are_the_models_own_for_what_was_chosen(
    engine: Engine, windows: list[Question], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    """Recomputed over prompt and answer; no penalty, temperature or minimum shows in them."""
    given: dict[int, tuple[list[int], list[float]]] = {}
    give = Replies.give

    def spy(self: Replies, row: int, ids: list[int], logprobs: list[float], finish: Any, *more) -> None:
        given[row] = (ids, logprobs)
        give(self, row, ids, logprobs, finish, *more)

    monkeypatch.setattr(Replies, "give", spy)
    batch = asked([windows[0], windows[5]], **way)
    replies = answers(engine, batch)
    for row, (ids, logprobs) in given.items():
        assert [token.logprob for token in replies[row].tokens] == logprobs
        assert logprobs == pytest.approx(recomputed(engine, batch[row], ids), abs=1e-3)


def recomputed(engine: Engine, one: Question, ids: list[int]) -> list[float]:
    """The answer is a pass of its own: one that was drawn may hold a placeholder of pictures, to which none belong."""
    model, inputs = engine._family.model, engine._prepare([one], lambda rows: None)
    with torch.inference_mode():
        prompt = model(**inputs, use_cache=True)
        answer = model(input_ids=torch.tensor([ids]), past_key_values=prompt.past_key_values)
    logits = torch.cat([prompt.logits[0, -1:], answer.logits[0, :-1]])
    values: list[float] = torch.log_softmax(logits.float(), -1)[range(len(ids)), ids].tolist()
    return values


# --- bounds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_has_its_least_tokens(engine: Engine, windows: list[Question], way: dict[str, Any]) -> None:
    """Two that would say no more than "None", which is three tokens with its end."""
    short = answers(engine, asked(windows[4:6], **way))
    long = answers(engine, asked(windows[4:6], **way | {"min_new_tokens": 20}))
    if not way.get("temperature"):
        assert texts(short) == ["None", "None"]
    assert min(len(reply.tokens) for reply in long) > 20 > 3 >= min(len(reply.tokens) for reply in short)


def test_time_ends_what_is_open_and_keeps_what_was_said(engine: Engine, windows: list[Question]) -> None:
    batch = asked([windows[0], windows[5]], seconds=1.0)
    whole = answers(engine, asked(batch))
    replies: dict[int, Reply] = {}
    engine.answer(batch, lambda rows: time.sleep(0.15), replies.__setitem__)
    cut, ended = replies[0], replies[1]
    assert (cut.finish, ended.finish) == ("time", "stop")
    assert whole[0].text.startswith(cut.text) and 3 <= len(cut.tokens) < len(whole[0].tokens)
    assert ended.text == whole[1].text


def test_a_limit_that_is_not_reached_changes_nothing(engine: Engine, windows: list[Question]) -> None:
    assert answers(engine, asked(windows[:2], seconds=600.0)) == answers(engine, asked(windows[:2]))


def test_a_batch_of_two_minds_is_refused(engine: Engine, windows: list[Question]) -> None:
    with pytest.raises(ValueError, match="cannot be generated in two ways"):
        answers(engine, [*asked(windows[:1]), *asked(windows[1:2], **HOT)])


# --- not a number ------------------------------------------------------------------------------------------


def spoil(value: float, at: int, step: int) -> Callable[..., torch.Tensor]:
    """A hook that makes one logit of a row what it must not be, from a step on."""
    calls = 0

    def hook(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        logits = logits.clone()
        if calls > step:
            logits[at, -1, 7] = value
        return logits

    return hook


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("value", "step"), [(float("nan"), 0), (float("nan"), 5), (float("inf"), 2)])
def test_a_row_that_is_no_number_fails_alone(
    engine: Engine, windows: list[Question], way: dict[str, Any], value: float, step: int
) -> None:
    batch = asked(windows[:3], **way | {"min_new_tokens": 8})
    undisturbed = answers(engine, batch)
    poison = spoil(value, 1 * way.get("beams", 1) + way.get("beams", 1) // 2, step)
    hook = engine._family.model.lm_head.register_forward_hook(poison)
    try:
        first, sick, last = answers(engine, batch)
    finally:
        hook.remove()
    assert not sick.finite
    assert (first, last) == (undisturbed[0], undisturbed[2])


@pytest.mark.parametrize("way", WAYS)
def test_pictures_that_are_no_number_fail_their_own_window(
    engine: Engine, windows: list[Question], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    """Through the whole model and its cache: nothing passes from row to row."""
    batch = asked(windows[:3], **way)
    undisturbed = answers(engine, batch)
    prepare = engine._family.prepare

    def poisoned(rows: list[Asked]) -> Inputs:
        frames = list(rows[1].frames)
        frames[3] = Frame(torch.full_like(frames[3].embeds, float("nan")), frames[3].grid)
        return prepare([rows[0], Asked(rows[1].prompt, frames), rows[2]])

    monkeypatch.setattr(engine._family, "prepare", poisoned)
    first, sick, last = answers(engine, batch)
    assert not sick.finite
    assert texts([first, last]) == texts([undisturbed[0], undisturbed[2]])


def test_a_sick_row_is_not_generated_for(engine: Engine, windows: list[Question]) -> None:
    hook = engine._family.model.lm_head.register_forward_hook(spoil(float("nan"), 0, 4))
    rows: list[int] = []
    try:
        engine.answer(asked(windows[:2]), rows.append, lambda row, reply: None)
    finally:
        hook.remove()
    assert rows[:6] == [2] * 5 + [1]


# --- the checkpoint's own settings -------------------------------------------------------------------------


def test_what_a_checkpoint_says_of_generation_does_not_count(
    engine: Engine, windows: list[Question], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(
        json.dumps(config | {"repetition_penalty": 9.0, "do_sample": True, "temperature": 5.0, "min_length": 25})
    )
    greedy = answers(engine, asked(windows[:2]))
    assert answers(load(folder), asked(windows[:2])) == greedy
    assert transformers_own(folder, engine, windows[0]) != transformers_own(MODEL, engine, windows[0]), "the control"


def transformers_own(folder: Path, engine: Engine, one: Question) -> str:
    """The answer as `generate` gives it by itself, under the folder's generation_config.json."""
    family, inputs = engine._family, engine._prepare([one], lambda rows: None)
    with torch.inference_mode():
        ids = family.generate(inputs, generation_config=GenerationConfig.from_pretrained(folder), max_new_tokens=40)
    text: str = family.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text
