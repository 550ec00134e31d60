"""The two stages of training: first to see (pictures), then to tell (windows)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import Idefics3ForConditionalGeneration, Idefics3Processor

from demo_training.batches import JUNK_KIND, Sampler, Truth, WindowBatch
from demo_training.footage import NOTHING
from demo_training.network import END, HIDDEN, IMAGE, ONE_IMAGE, PATCH, SIDE
from demo_training.texts import answer, any_prompt, character_weights

PICTURES_A_STEP = 96
WINDOWS_A_STEP = 16
RATE = 2e-3
WIDE_RATE = 5e-4
"""Learning rate of matrices with thousands of inputs, that is the connector's."""
WARM_UP = 60
AUXILIARY = 0.3
"""How much the heads on the pictures count beside the answers in the second stage."""


class Heads(nn.Module):  # type: ignore[misc]  # torch is Any here
    """Throwaway heads that tell the vision tower what there is to see."""

    def __init__(self) -> None:
        super().__init__()
        self.ball_patch = nn.Linear(HIDDEN, 1)
        self.ball_offset = nn.Linear(HIDDEN, 2)
        self.ball = nn.Linear(HIDDEN, 2)
        self.event = nn.Linear(HIDDEN, NOTHING + 1)
        self.kind = nn.Linear(HIDDEN, JUNK_KIND + 1)

    def on_patches(self, patches: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Loss of finding the ball among the patches, (n, 64, hidden)."""
        shown = ~truth.balls.isnan().any(1)
        across = SIDE // PATCH
        cells = (truth.balls[shown] * across).clamp(0, across - 1e-3)
        columns, rows = cells.long().unbind(1)
        target = rows * across + columns
        found = patches[shown]
        where = cross_entropy(self.ball_patch(found)[..., 0], target)
        at = found[torch.arange(len(found)), target]
        return where + 2 * (self.ball_offset(at) - cells.frac()).square().mean()

    def on_tokens(self, tokens: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Loss of reading event, kind of scene and ball off the pictures' tokens, (n, hidden)."""
        shown = ~truth.balls.isnan().any(1)
        ball = (self.ball(tokens[shown]) - truth.balls[shown]).square().mean()
        return (
            cross_entropy(self.event(tokens), truth.classes) + cross_entropy(self.kind(tokens), truth.kinds) + 5 * ball
        )


def learn_to_see(model: Idefics3ForConditionalGeneration, heads: Heads, sampler: Sampler, steps: int) -> None:
    """Stage 1: vision tower and connector, on single pictures."""
    inner = model.model

    def loss() -> tuple[torch.Tensor, str]:
        pixels, truth = sampler.pictures(PICTURES_A_STEP)
        patches = _patches(model, pixels)
        tokens = inner.connector(patches)[:, 0]
        right = (heads.event(tokens).argmax(1) == truth.classes).float().mean()
        total = heads.on_patches(patches, truth) + heads.on_tokens(tokens, truth)
        return total, f"events right {right:.3f}"

    _descend("see", [inner.vision_model, inner.connector, heads], loss, steps)


def learn_to_tell(
    model: Idefics3ForConditionalGeneration,
    processor: Idefics3Processor,
    heads: Heads,
    sampler: Sampler,
    steps: int,
) -> None:
    """Stage 2: connector and language model, on windows; the vision tower stays as it is."""
    inner = model.model
    inner.vision_model.requires_grad_(False)
    texts = _Texts(processor, sampler.rng)

    def loss() -> tuple[torch.Tensor, str]:
        batch = sampler.windows(WINDOWS_A_STEP)
        with torch.no_grad():
            patches = _patches(model, batch.pixels)
        tokens = inner.connector(patches)[:, 0]
        told, right = _answer_loss(model, tokens, texts, batch)
        seen = heads.on_tokens(tokens, batch.truth)
        return told + AUXILIARY * seen, f"decisive tokens right {right:.3f}, answers {told.item():.3f}"

    _descend("tell", [inner.connector, inner.text_model, heads], loss, steps)


def _patches(model: Idefics3ForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """The vision tower's last hidden states, (n, 64, hidden), of pixels (n, 3, 64, 64)."""
    mask = torch.ones(len(pixels), SIDE // PATCH, SIDE // PATCH, dtype=torch.bool)
    patches: torch.Tensor = model.model.vision_model(pixels, patch_attention_mask=mask).last_hidden_state
    return patches


class _Texts:
    """Turns prompts and answers into token numbers and weights, as the processor does."""

    def __init__(self, processor: Idefics3Processor, rng: np.random.Generator) -> None:
        self.processor, self.tokenizer, self.rng = processor, processor.tokenizer, rng
        self.image = self.tokenizer.convert_tokens_to_ids(IMAGE)

    def tokens(self, batch: WindowBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Token numbers and loss weights, both (windows, tokens), filled up on the right."""
        rows = [self._row(length, answer(told)) for length, told in zip(batch.lengths, batch.answers, strict=True)]
        longest = max(len(numbers) for numbers, _ in rows)
        numbers = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        weights = torch.zeros(len(rows), longest)
        for at, (row, weight) in enumerate(rows):
            numbers[at, : len(row)] = torch.tensor(row)
            weights[at, : len(row)] = torch.tensor(weight)
        return numbers, weights

    def _row(self, pictures: int, told: str) -> tuple[list[int], list[float]]:
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": any_prompt(self.rng)}]
        prompt = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        asked = self.tokenizer(prompt.replace(IMAGE, ONE_IMAGE))["input_ids"]
        encoded = self.tokenizer(told + END, return_offsets_mapping=True)
        characters = [*character_weights(told), *[1.0] * len(END)]
        weights = [max(characters[begin:end]) for begin, end in encoded["offset_mapping"]]
        return asked + encoded["input_ids"], [0.0] * len(asked) + weights


def _answer_loss(
    model: Idefics3ForConditionalGeneration, tokens: torch.Tensor, texts: _Texts, batch: WindowBatch
) -> tuple[torch.Tensor, float]:
    """Weighted loss of the answers, and the share of decisive tokens that are right."""
    numbers, weights = texts.tokens(batch)
    embedded = model.model.text_model.embed_tokens(numbers)
    spots = (numbers == texts.image)[..., None].expand_as(embedded)
    embedded = embedded.masked_scatter(spots, tokens.to(embedded.dtype))
    hidden = model.model.text_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    told = weights[:, 1:] > 0
    logits = model.lm_head(hidden[:, :-1][told])
    target, weight = numbers[:, 1:][told], weights[:, 1:][told]
    losses = cross_entropy(logits, target, reduction="none") * weight
    decisive = weight == 2.0
    right = (logits.argmax(1) == target)[decisive].float().mean().item()
    return losses.sum() / weight.sum(), right


def _descend(name: str, parts: list[nn.Module], loss: Callable[[], tuple[torch.Tensor, str]], steps: int) -> None:
    """AdamW with warm-up and cosine decay; prints how it goes and how long it will take."""
    weights = [weight for part in parts for weight in part.parameters()]
    wide = [weight for weight in weights if weight.ndim == 2 and weight.shape[1] > 1000]
    rest = [weight for weight in weights if not any(weight is one for one in wide)]
    groups = [{"params": wide, "lr": WIDE_RATE}, {"params": rest, "lr": RATE}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    begun = time.monotonic()
    for step in range(1, steps + 1):
        value, note = loss()
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps:
            left = (time.monotonic() - begun) / step * (steps - step)
            print(
                f"{name}: step {step} of {steps}, loss {value.item():.3f}, {note}, {left:.0f} s left",
                flush=True,
            )


def _rate(step: int, steps: int) -> float:
    """Share of the full learning rate at a step."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))
