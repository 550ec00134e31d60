"""Asks the model about a film the way vlmd does: windows, resized pictures, chat template, batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from transformers import PreTrainedModel, ProcessorMixin

from demo_training.footage import shrink
from demo_training.texts import NONE, default_prompt
from vlmd.core.video import VideoFacts, VideoIndex
from vlmd.core.windows import SlidingPlan, Window, plan_windows

BATCH = 8
MAX_WINDOWS = 10_000
MERGE_MS = 3000
"""Events of one label and team whose windows start within this time of the first are one."""


@dataclass(frozen=True)
class Shown:
    """A window and its pictures, each uint8 (height, width, 3)."""

    window: Window
    pictures: list[np.ndarray]


@dataclass(frozen=True)
class FoundEvent:
    """An event that the model saw in the window from `start_ms` to `end_ms`."""

    label: str
    team: str | None
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True)
class Reply:
    """What the model said to one window. `confidence` has one figure per line of the text."""

    text: str
    confidence: list[float]

    @property
    def is_none(self) -> bool:
        return self.text == NONE


def windows_of(path: Path) -> list[Shown]:
    """The film's windows of 3 s every 2 s with their pictures, 5 per second."""
    pictures = dict(_decoded(path))
    windows = plan_windows(_index(path, sorted(pictures)), SlidingPlan(), MAX_WINDOWS)
    return [Shown(window, [pictures[pts] for pts in window.pts]) for window in windows]


def _decoded(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            if frame.pts is not None:
                yield frame.pts, np.rot90(shrink(frame), frame.rotation // 90)


def _index(path: Path, pts: list[int]) -> VideoIndex:
    """The times of the decoded pictures; the last one is taken to be shown as long as an average one."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tick = stream.time_base
        if tick is None:
            raise ValueError(f"the video stream of {path} has no time base")
        mean = (pts[-1] - pts[0]) / max(1, len(pts) - 1)
        facts = VideoFacts(
            fingerprint="",
            size_bytes=path.stat().st_size,
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt or "",
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            rotation=0,
            duration_ms=max(1, round((pts[-1] - pts[0] + mean) * 1000 * tick)),
            start_ms=round(pts[0] * 1000 * tick),
            frames=len(pts),
            truncated=False,
            bad_packets=0,
        )
    return VideoIndex(facts=facts, time_base=(tick.numerator, tick.denominator), pts=pts, keyframes=[])


def ask(
    model: PreTrainedModel, processor: ProcessorMixin, shown: list[Shown], prompt: str | None = None
) -> list[Reply]:
    """The model's reply to each window; vlmd's own prompt unless another is given."""
    replies: list[Reply] = []
    rest = iter(shown)
    while batch := list(islice(rest, BATCH)):
        replies += _ask_batch(model, processor, batch, prompt or default_prompt())
    return replies


def _ask_batch(model: PreTrainedModel, processor: ProcessorMixin, batch: list[Shown], prompt: str) -> list[Reply]:
    texts = [_question(processor, len(one.pictures), prompt) for one in batch]
    images = [one.pictures for one in batch]
    inputs = processor(images=images, text=texts, padding=True, padding_side="left", return_tensors="pt")
    inputs = inputs.to(dtype=model.dtype)
    with torch.inference_mode():
        out = model.generate(
            **inputs, max_new_tokens=256, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
    told = out.sequences[:, inputs["input_ids"].shape[1] :]
    logits = torch.stack(out.logits, dim=1).float()
    chances = logits.softmax(-1).gather(2, told[..., None])[..., 0]
    return [_reply(processor.tokenizer, *row) for row in zip(told.tolist(), chances.tolist(), strict=True)]


def _question(processor: ProcessorMixin, pictures: int, prompt: str) -> str:
    content = [{"type": "image"}] * pictures + [{"type": "text", "text": prompt}]
    question: str = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return question


def _reply(tokenizer: Any, numbers: list[int], chances: list[float]) -> Reply:
    """Text and confidence of one answer: the probability of the tokens up to the end of each line's label."""
    stop = numbers.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in numbers else len(numbers)
    pieces = [tokenizer.decode([number]) for number in numbers[:stop]]
    text = "".join(pieces)
    if text == NONE:
        return Reply(text, [prod(chances[:stop])])
    confidence, line, chance = [], "", 1.0
    for piece, one in zip(pieces, chances, strict=False):
        if '", "team' not in line + piece:
            chance *= one
        line += piece
        if piece == "\n":
            confidence.append(chance)
            line, chance = "", 1.0
    return Reply(text, [*confidence, chance])


def events_in(reply: Reply, window: Window) -> list[FoundEvent]:
    """The events of one reply. Raises `ValueError` for text that is neither None nor JSON objects."""
    if reply.is_none:
        return []
    told = [json.loads(line) for line in reply.text.split("\n")]
    return [
        FoundEvent(one["label"], one["team"], window.start_ms, window.end_ms, confidence)
        for one, confidence in zip(told, reply.confidence, strict=True)
    ]


def merge(events: list[FoundEvent]) -> list[FoundEvent]:
    """One event for each group of one label and team, with the span of its surest window."""
    groups: list[list[FoundEvent]] = []
    for event in sorted(events, key=lambda one: one.start_ms):
        for group in groups:
            first = group[0]
            if (first.label, first.team) == (
                event.label,
                event.team,
            ) and event.start_ms - first.start_ms <= MERGE_MS:
                group.append(event)
                break
        else:
            groups.append([event])
    return [max(group, key=lambda one: one.confidence) for group in groups]
