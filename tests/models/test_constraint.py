"""Answers held to a grammar, in every family, batch and way of generating; and what a model thinks of given options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import llguidance.hf
import numpy as np
import pytest
import torch
from llguidance import LLMatcher
from msgspec import structs
from tiny import MAKERS
from transformers import AutoTokenizer

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
from vlmd.core.tasks.choice import ChoiceTask
from vlmd.core.tasks.events import EventsTask, ParsedAnswer
from vlmd.core.tasks.feedback import FeedbackTask
from vlmd.core.tasks.prompts import EVENTS_PROMPT, fill
from vlmd.core.tasks.registry import Task
from vlmd.core.tasks.text import TextTask
from vlmd.demo.game import LABELS, TEAMS, plan_match
from vlmd.demo.render import draw_frames
from vlmd.weights import demo_folder
from vlmd.worker.engine import Engine, Unprepared
from vlmd.worker.questions import Question

EVENTS = EventsTask(labels=["Goal", "Yellow->red card", 'a "quoted" one', "Tor für alle"], teams=["home", "away"])
CHOICE = ChoiceTask(choices=["red", "green", "blue", "none of these"])
TASKS = [EVENTS, FeedbackTask(), CHOICE, TextTask()]
ALIKE = {"qwen2.5-vl-7b", "qwen3-vl-8b"}
"""Other sizes with the same tokenizer."""
WAYS: list[dict[str, Any]] = [{}, {"temperature": 1.0}, {"beams": 3}]


def held(asked: Question, task: Task, **way: Any) -> Question:
    """The question with its answers held to the task's grammar."""
    asked = generated(asked, **way)
    recipe = asked.run.recipe
    grammar = task.grammar(recipe.generation.max_new_tokens)
    recipe = structs.replace(recipe, grammar=grammar, options=task.options())
    return replace(asked, run=structs.replace(asked.run, recipe=recipe))


@pytest.fixture(scope="module", params=[name for name in MAKERS if name not in ALIKE])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    torch.set_num_threads(1)
    return load(shared_checkpoint(shared_folder(tmp_path_factory), request.param))


def windows() -> Iterator[Question]:
    for seed in range(2):
        yield question(pictures(seed, 2), f"What happens? {'Look well. ' * seed}", new=100)


@pytest.mark.parametrize("way", WAYS, ids=["greedy", "drawn", "beams"])
def test_every_answer_reads_without_repair(engine: Engine, way: dict[str, Any]) -> None:
    """The weights are random, so nothing but the grammar brings that about."""
    for task in [EVENTS, CHOICE] if way else TASKS:
        for reply in answers(engine, [held(one, task, **way) for one in windows()]):
            reading = task.read(reply.text, reply.tokens, reply.finish, reply.option_logprobs)
            cut = reply.finish in ("length", "loop")  # these tokenizers spell many words letter by letter
            assert reading.outcome != "unparseable" or (cut and isinstance(task, FeedbackTask)), reply.text
            assert cut or not reading.repaired, reply.text


def test_without_the_grammar_nothing_of_it_reads(engine: Engine) -> None:
    replies = answers(engine, [generated(one, max_new_tokens=12) for one in windows()])
    assert {EVENTS.read(reply.text, [], reply.finish, []).outcome for reply in replies} == {"unparseable"}


def test_a_row_of_a_batch_says_what_it_says_alone(engine: Engine) -> None:
    asked = [held(one, EVENTS) for one in windows()]
    together = answers(engine, asked)
    alone = [answers(engine, [again(one)])[0] for one in asked]
    assert [reply.text for reply in together] == [reply.text for reply in alone]


def test_options_are_judged_as_the_model_judges_their_tokens(engine: Engine) -> None:
    asked = [held(one, CHOICE) for one in windows()]
    logprobs = torch.log_softmax(engine.first_logits([again(one) for one in asked]), dim=-1)
    vocabulary = engine._family.tokenizer.get_vocab()
    for row, reply in enumerate(answers(engine, asked)):
        for letter, told in zip(CHOICE.options(), reply.option_logprobs, strict=True):
            spellings = {letter, f"▁{letter}", f"Ġ{letter}", f"<0x{ord(letter):02X}>"}
            tokens = [token for piece, token in vocabulary.items() if piece in spellings]
            assert told == pytest.approx(torch.logsumexp(logprobs[row, tokens], 0).item(), abs=1e-3)
        assert len(reply.tokens) <= 2
    beams = answers(engine, [held(one, CHOICE, beams=2) for one in windows()])
    for reply, same in zip(beams, answers(engine, [again(one) for one in asked]), strict=True):
        assert reply.option_logprobs == pytest.approx(same.option_logprobs, abs=1e-3)


# --- one model ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> Engine:
    torch.set_num_threads(1)
    return load(demo_folder())


def test_a_grammar_that_means_nothing_is_told_and_nothing_is_answered(demo: Engine) -> None:
    asked = next(windows())
    recipe = structs.replace(asked.run.recipe, grammar="start: undefined_rule")
    with pytest.raises(Unprepared, match="the grammar does not compile"):
        answers(demo, [replace(asked, run=structs.replace(asked.run, recipe=recipe))])


def test_options_that_begin_alike_cannot_be_chosen_between(demo: Engine) -> None:
    asked = next(windows())
    recipe = structs.replace(asked.run.recipe, options=("zzq1", "zzq2"))
    with pytest.raises(Unprepared, match="cannot be told apart by their first token"):
        answers(demo, [replace(asked, run=structs.replace(asked.run, recipe=recipe))])


def test_a_minimum_of_tokens_gives_way_where_nothing_may_follow(demo: Engine) -> None:
    (reply,) = answers(demo, [held(next(windows()), CHOICE, min_new_tokens=5)])
    assert reply.finite and reply.text.strip() in CHOICE.options()


@pytest.mark.parametrize("text", [
    "None", '{"label": "Goal", "team": "home", "confidence": 0.95, "details": "from far"}',
    "{'label': 'Goal', 'team': None, 'confidence': 1, 'details': ''}",
    '[{"label":"Yellow->red card","team":"away","confidence":0.5,"details":"x"}]',
    '{"label": "Goal", "team": "home", "confidence": 0.9, "details": ""}\n'
    '{"label": "a \\"quoted\\" one", "team": "away", "confidence": 0, "details": "é"}',
])  # fmt: skip
def test_what_models_write_by_themselves_is_allowed(text: str) -> None:
    assert accepted(EVENTS.grammar(256), text)
    assert not EVENTS.read(text, [], "stop", []).repaired


@pytest.mark.parametrize("text", [
    "", "Nonesense", '{"label": "Corner", "team": "home", "confidence": 0.9, "details": ""}',
    '{"label": "Goal", "team": "home", "confidence": 7, "details": ""}', "{}", "[]",
    '{"label": "Goal", "team": "home", "confidence": 0.9, "details": "' + "x" * 400 + '"}',
])  # fmt: skip
def test_anything_else_is_not(text: str) -> None:
    assert not accepted(EVENTS.grammar(256), text)


def accepted(grammar: str, text: str) -> bool:
    tokenizer = AutoTokenizer.from_pretrained(demo_folder())
    matcher = LLMatcher(llguidance.hf.from_tokenizer(tokenizer), LLMatcher.grammar_from_lark(grammar), log_level=0)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()


def test_the_demo_sees_no_less_and_an_empty_window_takes_one_step(demo: Engine) -> None:
    """On real matches: the same labels and teams in every window, and None costs no more than its own tokens."""
    task = EventsTask(labels=list(LABELS), teams=list(TEAMS))
    prompt = fill(EVENTS_PROMPT, {"fps": "5", **task.variables()})
    shown = [np.asarray(picture)[::2, ::2] for picture in draw_frames(plan_match(40_000, 30), 5)]
    free = [question(shown[at : at + 15], prompt, new=256) for at in range(0, 120, 10)]
    bound = answers(demo, [held(one, task) for one in free])
    saw = [task.read(one.text, one.tokens, one.finish, []) for one in answers(demo, free)]
    sees = [task.read(one.text, one.tokens, one.finish, []) for one in bound]
    assert [told(one) for one in sees] == [told(one) for one in saw]
    assert {one.outcome for one in sees} == {"events", "none"}
    assert max(len(one.tokens) for one, read in zip(bound, sees, strict=True) if read.outcome == "none") <= 2


def told(reading: ParsedAnswer) -> set[tuple[str, str | None]]:
    return {(event.label, event.team) for event in reading.events}
