"""What is made of a model's scores: penalty, minimum, and the draw by its published definition."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
import torch

from vlmd.core.recipe import Generation
from vlmd.worker.generation.scores import Scores

LOGITS = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0]
END = 5


def shaped(answers: list[list[int]], logits: list[list[float]], **way: Any) -> list[list[float]]:
    """The scores after a prompt of the tokens 1 and 3, and these answers."""
    prompt = torch.tensor([[1, 3]] * len(logits))
    scores = Scores(Generation(**way), {END}, [Random(0) for _ in logits])
    scores.shape(prompt, torch.zeros(len(logits), len(LOGITS)))
    so_far = torch.cat([prompt, torch.tensor(answers, dtype=torch.long).reshape(len(logits), -1)], dim=1)
    result: list[list[float]] = scores.shape(so_far, torch.tensor(logits)).tolist()
    return result


def test_without_settings_nothing_is_changed() -> None:
    assert shaped([[0]], [LOGITS]) == [LOGITS]


def test_a_penalty_counts_what_the_answer_holds_and_not_what_the_question_asks() -> None:
    """Tokens 1 and 3 are the prompt's; of 0 and 4 the answer has said one in each row, one above zero, one below."""
    first, second = shaped([[0, 0], [4, 4]], [LOGITS, LOGITS], repetition_penalty=2.0)
    assert first == [1.0, *LOGITS[1:]]
    assert second == [*LOGITS[:4], -2.0, LOGITS[5]]


@pytest.mark.parametrize(("said", "may_end"), [(1, False), (2, False), (3, True)])
def test_an_answer_may_not_end_before_its_least_tokens(said: int, may_end: bool) -> None:
    (row,) = shaped([[0] * said], [LOGITS], min_new_tokens=3)
    assert (row[END] == LOGITS[END]) == may_end
    assert (row[END] == float("-inf")) == (not may_end)
    assert row[:END] == LOGITS[:END]


def by_definition(temperature: float, top_p: float) -> dict[int, float]:
    """Chances by Holtzman et al. 2020: the smallest set of likeliest tokens whose chances add up to top-p or more."""
    weights = torch.softmax(torch.tensor(LOGITS, dtype=torch.float64) / temperature, 0).tolist()
    chances = dict(enumerate(weights))
    kept: dict[int, float] = {}
    for token in sorted(chances, key=lambda token: -chances[token]):
        kept[token] = chances[token]
        if sum(kept.values()) >= top_p:
            break
    return {token: chance / sum(kept.values()) for token, chance in kept.items()}


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (2.0, 1.0), (1.0, 0.8), (1.5, 0.6)])
def test_tokens_are_drawn_by_their_chances(temperature: float, top_p: float) -> None:
    count = 20_000
    draws = [Random(seed) for seed in range(count)]
    scores = Scores(Generation(temperature=temperature, top_p=top_p), {END}, draws)
    left = scores.shape(torch.zeros(count, 1, dtype=torch.long), torch.tensor([LOGITS]).repeat(count, 1))
    assert ((left == 0).sum(dim=1) == 1).all() and ((left == float("-inf")).sum(dim=1) == len(LOGITS) - 1).all()
    drawn, wanted = Counter(left.argmax(dim=1).tolist()), by_definition(temperature, top_p)
    assert drawn.keys() == wanted.keys()
    for token, chance in wanted.items():
        assert drawn[token] / count == pytest.approx(chance, abs=4 * (0.25 / count) ** 0.5)


class Always(Random):
    def __init__(self, number: float) -> None:
        super().__init__(0)
        self._number = number

    def random(self) -> float:
        return self._number


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_the_first_and_the_last_number_draw_a_token_that_has_a_chance(number: float) -> None:
    """Of the tokens that top-p leaves, which are neither the first nor the last of the vocabulary."""
    scores = Scores(Generation(temperature=1.0, top_p=0.9), {END}, [Always(number)] * 64)
    logits = torch.randn(64, 50_000, generator=torch.Generator().manual_seed(1))
    logits[:, 0] = logits[:, -1] = -50.0
    drawn = scores.shape(torch.zeros(64, 1, dtype=torch.long), logits).argmax(dim=1)
    assert (logits[torch.arange(64), drawn] > -1).all()
    assert ((drawn > 0) & (drawn < 49_999)).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_row_of_no_numbers_is_told_from_its_neighbours(bad: float) -> None:
    logits = torch.tensor([LOGITS, LOGITS, LOGITS])
    logits[1] = torch.full((6,), bad)
    scores = Scores(Generation(temperature=1.0), {END}, [Random(0) for _ in range(3)])
    left = scores.shape(torch.zeros(3, 1, dtype=torch.long), logits)
    assert scores.sick.tolist() == [False, True, False]
    assert not left.isnan().any() and (left == 0).sum(dim=1).tolist() == [1, 1, 1]


def test_single_tokens_without_any_chance_are_no_illness() -> None:
    scores = Scores(Generation(), {END}, [])
    scores.shape(torch.zeros(1, 1, dtype=torch.long), torch.tensor([[1.0, float("-inf"), 0.0]]))
    assert scores.sick.tolist() == [False]
