"""From a prepared batch to replies: `generate` of transformers, with everything that is ours hung into it.

transformers runs the model and keeps its cache. What a token is chosen by (`scores`, `draws`), when a row ends
(`rows`, one token after another; `beams`, several beginnings at once) and what is told of it (`replies`) is ours, so
that an answer depends on its window and its recipe, and on nothing else in the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from msgspec.structs import replace
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from vlmd.core.recipe import Generation
from vlmd.worker.generation.beams import Beams
from vlmd.worker.generation.draws import draws
from vlmd.worker.generation.guides import Guide
from vlmd.worker.generation.replies import OnReply, Replies
from vlmd.worker.generation.rows import Rows
from vlmd.worker.generation.scores import Scores
from vlmd.worker.generation.search import Search
from vlmd.worker.models.base import Family, Inputs
from vlmd.worker.questions import Question

__all__ = ["OnReply", "end_tokens", "generate", "own_settings_only"]


def generate(
    family: Family,
    inputs: Inputs,
    questions: Sequence[Question],
    on_step: Callable[[int], None],
    on_reply: OnReply,
    guide: Guide | None = None,
    options: Sequence[Sequence[int]] = (),
) -> None:
    """Answer a batch whose settings differ in `max_new_tokens` at most.

    `on_step` hears after every token how many rows were open, `on_reply` of every row that has ended: greedy and drawn
    ones at once, those of beams all at the end, because a beam that was behind may still win.
    """
    settings = _common_settings(questions)
    limits = [question.run.recipe.generation.max_new_tokens for question in questions]
    ends = end_tokens(family.generator)
    numbers = [draws(question) for question in questions] if settings.temperature else []
    scores = Scores(settings, ends, numbers, guide, options)
    replies = Replies(family.tokenizer, inputs["attention_mask"].sum(dim=1).tolist(), on_reply)
    search = (Beams if settings.beams > 1 else Rows)(
        scores, ends, limits, _lateness(settings.seconds), on_step, replies
    )
    output = family.generate(
        inputs,
        max_new_tokens=max(limits),
        do_sample=False,  # `scores` leaves nothing but the token that was drawn
        num_beams=settings.beams,
        return_dict_in_generate=True,
        logits_processor=LogitsProcessorList([_Shaped(search)]),
        stopping_criteria=StoppingCriteriaList([_Ended(search)]),
    )
    search.finish(output)


def own_settings_only(model: Any) -> None:
    """Forget how the checkpoint would have answers generated: its generation_config.json, but for special tokens.

    `generate` takes from there whatever it is not told; Qwen2.5-VL's, for one, holds a repetition penalty.
    """
    for module in model.modules():
        if isinstance(config := getattr(module, "generation_config", None), GenerationConfig):
            names = ("bos_token_id", "eos_token_id", "pad_token_id")
            module.generation_config = GenerationConfig(**{name: getattr(config, name) for name in names})


def _common_settings(questions: Sequence[Question]) -> Generation:
    first = questions[0].run.recipe.generation
    for question in questions:
        its_own = question.run.recipe.generation
        if replace(its_own, max_new_tokens=first.max_new_tokens) != first:
            raise ValueError(f"a batch cannot be generated in two ways: {first} and {its_own}")
    return first


def _lateness(seconds: float | None) -> Callable[[], bool]:
    """Whether this many seconds have gone by since now."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline


def end_tokens(model: Any) -> set[int]:
    """The tokens that end an answer."""
    end = model.generation_config.eos_token_id
    if end is None:
        return set()
    return set(end) if isinstance(end, list) else {end}


class _Shaped(LogitsProcessor):  # type: ignore[misc]
    def __init__(self, search: Search) -> None:
        self._search = search

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`input_ids` (rows, prompt and tokens so far), `scores` (rows, vocabulary): of the next token."""
        return self._search.shape(input_ids, scores)


class _Ended(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, search: Search) -> None:
        self._search = search

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **options: Any) -> torch.Tensor:
        """`input_ids` (rows, prompt and tokens with the one just chosen)."""
        return torch.tensor(self._search.ended(input_ids), device=input_ids.device)
