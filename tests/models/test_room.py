"""How large batches are: as planned for the memory that is free, then as measured, and less after running out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.models.checkpoints import load, pictures, question, spec
from vlmd import catalog
from vlmd.core import plans
from vlmd.core.answers import Token
from vlmd.core.recipe import Recipe
from vlmd.weights import demo_folder
from vlmd.worker import engine as engine_module
from vlmd.worker.questions import Question, Reply
from vlmd.worker.room import NoMemory, Room

FIGURES = catalog.listed()["HuggingFaceM4/idefics2-8b"]
FINE, COARSE = FIGURES.sizes[1], FIGURES.sizes[0]
GB = 10**9


class Card:
    """Memory of which so much is free; a batch takes so many times what was planned."""

    def __init__(self, free: int) -> None:
        self.left = free
        self.taken = 0

    def free(self) -> int | None:
        return self.left

    def model(self) -> int | None:
        return None

    def begin(self) -> None:
        self.taken = 0

    def used(self) -> int | None:
        return self.taken


def room(card: object, figures: object = FIGURES) -> Room:
    return Room(figures, lambda recipe: FINE if recipe.frame_tokens is None else COARSE, "bf16", card)  # type: ignore


def asked(count: int) -> list[Question]:
    return [question([], "What?", new=256) for _ in range(count)]


RECIPE: Recipe = asked(1)[0].run.recipe


def expected(batch: int, new_tokens: int = 256) -> int:
    shape = plans.Shape(frames=15, words=plans.words_of("What?"), new_tokens=new_tokens)
    return plans.plan(FIGURES, "bf16", FINE, shape, batch).batch


def answered(one: Room, card: Card, batch: int, used: int, new_tokens: int = 256) -> None:
    with one.watching(asked(batch)) as watch:
        card.taken = used
        watch.heard(Reply("", [Token(0, 0.0)] * new_tokens, 10, "stop"))


def test_the_largest_batch_that_was_planned_for_what_is_free():
    card = Card(10 * GB)
    most = room(card).most(RECIPE)
    assert expected(most) <= 0.95 * 10 * GB < expected(most + 1)
    card.left = 20 * GB
    assert room(card).most(RECIPE) > most, "somebody else has given up memory"


def test_one_window_is_tried_whatever_was_planned():
    assert room(Card(0)).most(RECIPE) == 1


def test_batches_that_take_more_make_smaller_ones():
    card = Card(10 * GB)
    one = room(card)
    before = one.most(RECIPE)
    answered(one, card, 4, 2 * expected(4))
    assert one.correction == pytest.approx(2.1, rel=0.01)
    assert one.most(RECIPE) < before
    for _ in range(8):
        answered(one, card, 4, expected(4) // 2)
    assert one.correction == pytest.approx(0.525, rel=0.01)
    assert one.most(RECIPE) > before


def test_short_answers_do_not_make_believe_that_long_ones_fit():
    """What an answer's tokens take in the cache is compared with what so many of them were to take."""
    card = Card(10 * GB)
    one = room(card)
    answered(one, card, 4, expected(4, new_tokens=3), new_tokens=3)
    assert one.correction == pytest.approx(1.05)


def test_after_running_out_half_as_many_until_that_has_gone_well_for_long():
    card = Card(100 * GB)
    one = room(card)
    with pytest.raises(torch.OutOfMemoryError), one.watching(asked(8)):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert one.most(RECIPE) == 4
    for _ in range(19):
        answered(one, card, 4, expected(4))
    assert one.most(RECIPE) == 4
    answered(one, card, 4, expected(4))
    assert one.most(RECIPE) == 5


def test_another_failure_says_nothing_of_memory():
    one = room(Card(100 * GB))
    before = one.most(RECIPE)
    with pytest.raises(ValueError), one.watching(asked(8)):
        raise ValueError("something else")
    assert one.most(RECIPE) == before


def test_without_figures_or_a_gpu_only_running_out_teaches():
    for one in (room(NoMemory()), room(Card(1), figures=None)):
        assert one.most(RECIPE) > 1000
        with pytest.raises(MemoryError), one.watching(asked(8)):
            raise MemoryError
        assert one.most(RECIPE) == 4


@pytest.mark.parametrize(("gigabytes", "precision"), [(12, "nf4"), (24, "fp16"), (80, "fp16")])
def test_auto_is_what_the_whole_memory_of_the_gpus_holds(monkeypatch, gigabytes, precision):
    monkeypatch.setattr(engine_module, "device_bytes", lambda: gigabytes * GB)
    asked_of = spec(demo_folder(), "auto")
    assert engine_module._automatic(FIGURES, asked_of, "cuda:0", "fp16") == precision
    assert engine_module._automatic(FIGURES, asked_of, "cpu", "fp32") == "fp32"
    assert engine_module._automatic(None, asked_of, "cuda:0", "fp16") == "fp16", "nobody knows better"


def test_an_answer_tells_what_was_planned_and_what_was_taken(tmp_path: Path):
    from tiny import make

    make("idefics2", tmp_path)
    engine = load(tmp_path)
    ready = engine.ready()
    assert ready.memory_planned == ready.memory_bytes
    replies: list[Reply] = []
    windows = [question(pictures(1, 3), "What?", new=3) for _ in range(2)]
    engine.answer(windows, lambda rows: None, lambda row, reply: replies.append(reply))
    assert {reply.memory_used for reply in replies} == {None}, "a CPU's is not measured"
    assert replies[0].memory_planned == engine._room.planned(windows[0].run.recipe, 2)
