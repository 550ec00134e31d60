"""The scores of the next token: what the model says of them, and what generation makes of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

import torch
from transformers import RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper

from vlmd.core.recipe import Generation
from vlmd.worker.generation.guides import Guide
from vlmd.worker.generation.options import option_logprobs

Shaper = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(answers so far, scores) -> scores"""


class Scores:
    """Shapes the scores of every step, and remembers what they were before."""

    logprobs: torch.Tensor
    """(rows, vocabulary) log-probabilities as the model gave them, before any penalty, temperature or minimum."""
    sick: torch.Tensor
    """(rows): the model computed NaN or infinity. Such a row is scored evenly, so that nothing chokes on it."""
    prompt: int
    """Tokens before the answers."""

    option_logprobs: list[list[float]]
    """(rows, options): the model's log-probabilities of each option as the first token; no columns without options."""

    def __init__(
        self,
        settings: Generation,
        ends: Collection[int],
        draws: Sequence[Random],
        guide: Guide | None = None,
        options: Sequence[Sequence[int]] = (),
    ) -> None:
        """`guide` says which tokens may come next; `options` are the tokens of each."""
        self._shapers = list(_shapers(settings, ends, draws))
        self._begun = False
        self._options = options
        self.guide = guide

    def shape(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not self._begun:
            self.prompt = input_ids.shape[1]
        self.logprobs = torch.log_softmax(scores.float(), dim=-1)
        if not self._begun:
            self._begun, self.option_logprobs = True, option_logprobs(self.logprobs, self._options)
        self.sick = ~torch.isfinite(self.logprobs.amax(dim=-1))
        scores = scores.masked_fill(self.sick[:, None], 0.0)
        if self.guide is not None:
            scores = self._guided(self.guide, input_ids, scores)
        for shaper in self._shapers:
            scores = shaper(input_ids[:, self.prompt :], scores)
        return scores

    def beginnings(self, input_ids: torch.Tensor) -> list[tuple[int, ...]]:
        """Every row's answer so far."""
        return [tuple(tokens) for tokens in input_ids[:, self.prompt :].tolist()]

    def _guided(self, guide: Guide, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` without what may not follow. A row that nothing may follow is sick."""
        answers = self.beginnings(input_ids)
        guide.follow(answers)
        allowed = guide.mask(answers, scores.shape[1]).to(scores.device)
        stuck = ~allowed.any(dim=1)
        self.sick = self.sick | stuck
        return scores.masked_fill(~(allowed | stuck[:, None]), float("-inf"))

    def of(self, rows: torch.Tensor, tokens: torch.Tensor) -> list[float]:
        """The model's log-probabilities of one token each in these rows. What fills up rows that ended may be none."""
        values: list[float] = self.logprobs[rows, tokens.clamp(max=self.logprobs.shape[1] - 1)].tolist()
        return values


def _shapers(settings: Generation, ends: Collection[int], draws: Sequence[Random]) -> list[Shaper]:
    """In transformers' order: penalty, minimum, temperature, top-p.

    The penalty counts the answer's tokens alone. transformers' default counts the prompt's too: there it would tell
    against the labels and words that the question asks for, and against the pictures' placeholders.
    """
    shapers: list[Shaper] = []
    if settings.repetition_penalty != 1:
        shapers.append(RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    if settings.min_new_tokens and ends:
        shapers.append(_no_end_before(settings.min_new_tokens, list(ends)))
    if settings.temperature and settings.temperature != 1:
        shapers.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_p < 1:
        shapers.append(TopPLogitsWarper(settings.top_p))
    if settings.temperature:
        shapers.append(_drawn(draws))
    return shapers


def _no_end_before(count: int, ends: list[int]) -> Shaper:
    def shape(answers: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if answers.shape[1] >= count:
            return scores
        columns = torch.tensor(ends, device=scores.device)
        others = scores.index_fill(1, columns, float("-inf"))
        over = torch.isinf(others).all(dim=1, keepdim=True)  # nothing but an end may follow
        return torch.where(over, scores, others)

    return shape


def _drawn(draws: Sequence[Random]) -> Shaper:
    """Leave one token a row, drawn by its chance with the row's own numbers.

    The first token, by number, at which the summed chances exceed a number from [0, 1): with chances summed in double
    precision, a batch of another size draws another token only where its logits really differ.
    """

    def shape(answers: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        sums = scores.double().softmax(dim=-1).cumsum(dim=-1)
        total = sums[:, -1:]
        numbers = torch.tensor([[draw.random()] for draw in draws], dtype=torch.float64, device=scores.device)
        below = torch.minimum(numbers * total, torch.nextafter(total, torch.zeros_like(total)))
        token = torch.searchsorted(sums, below, right=True)
        return torch.full_like(scores, float("-inf")).scatter(1, token, 0.0)

    return shape
