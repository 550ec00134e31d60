"""Measures a saved model on films it never saw: matches of other seeds, and films of anything else."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin

from demo_training.asking import FoundEvent, Reply, Shown, ask, events_in, merge, windows_of
from demo_training.footage import EVENT_CLASSES, FPS, NOTHING, sightings
from vlmd.demo.game import TrueEvent
from vlmd.demo.render import render_match
from vlmd.evaluation.matching import Score, score

FILM_SECONDS = 90


@dataclass
class Figures:
    """What was measured on one set of matches."""

    score: Score = field(default_factory=lambda: Score(0, 0, 0))
    windows: int = 0
    clear: int = 0
    """Windows whose right answer is beyond doubt."""
    clear_right: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    """Time spent in processor and model."""
    mistakes: Counter[str] = field(default_factory=Counter)

    @property
    def ms_per_window(self) -> float:
        return 1000 * self.seconds / self.windows


def load(folder: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Model and processor as anybody would load them."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
    return model, AutoProcessor.from_pretrained(folder)


def on_matches(model: PreTrainedModel, processor: ProcessorMixin, seeds: range, prompt: str | None = None) -> Figures:
    """Plays the matches of `seeds` (h264, 25 pictures per second) to the model."""
    figures = Figures()
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "match.mp4"
            true = render_match(path, seed, FILM_SECONDS)
            shown = windows_of(path)
        begun = time.perf_counter()
        replies = ask(model, processor, shown, prompt)
        figures.seconds += time.perf_counter() - begun
        _count(figures, true, shown, replies)
    return figures


def _count(figures: Figures, true: list[TrueEvent], shown: list[Shown], replies: list[Reply]) -> None:
    found: list[FoundEvent] = []
    for one, reply in zip(shown, replies, strict=True):
        figures.windows += 1
        try:
            events = events_in(reply, one.window)
        except (ValueError, KeyError):
            figures.unreadable += 1
            continue
        found += events
        _count_clear(figures, true, one, events)
    figures.score += score(merge(found), true)


def _count_clear(figures: Figures, true: list[TrueEvent], shown: Shown, events: list[FoundEvent]) -> None:
    """Compares one window with the truth, where the truth is clear."""
    expected = sightings(_classes(true, shown))
    if expected is None:
        return
    right: set[tuple[str, str]] = {(one.label, one.team) for one in expected}
    told = {(one.label, one.team or "") for one in events}
    figures.clear += 1
    figures.clear_right += right == told
    if right != told:
        figures.mistakes[f"{_names(right)} taken for {_names(told)}"] += 1


def _classes(true: list[TrueEvent], shown: Shown) -> np.ndarray:
    """The class of each of a window's pictures, as in training."""
    step = 1000 // FPS
    moments = [shown.window.start_ms + step * number for number in range(len(shown.pictures))]
    return np.array([_class_at(true, ms) for ms in moments])


def _class_at(true: list[TrueEvent], ms: int) -> int:
    on = [event for event in true if event.start_ms <= ms < event.end_ms]
    return EVENT_CLASSES.index((on[0].label, on[0].team)) if on else NOTHING


def _names(events: set[tuple[str, str]]) -> str:
    return " and ".join(f"{label} ({team})" for label, team in sorted(events)) or "None"


@dataclass
class NoneShare:
    """How many windows of films without any match were answered None."""

    windows: int = 0
    none: int = 0
    by_film: dict[str, str] = field(default_factory=dict)
    """What was said instead, for the films that have such windows, or why a film could not be read."""

    @property
    def share(self) -> float:
        return self.none / self.windows if self.windows else 1.0


def on_other_films(model: PreTrainedModel, processor: ProcessorMixin, folder: Path) -> NoneShare:
    """Plays every file in `folder` to the model."""
    result = NoneShare()
    for path in sorted(folder.iterdir()):
        try:
            shown = windows_of(path)
        except (av.FFmpegError, IndexError) as error:
            result.by_film[path.name] = f"cannot be read: {error}"
            continue
        replies = ask(model, processor, shown)
        wrong = [reply.text[:48] for reply in replies if not reply.is_none]
        result.windows += len(replies)
        result.none += len(replies) - len(wrong)
        if wrong:
            result.by_film[path.name] = f"{len(wrong)} of {len(replies)}: {Counter(wrong).most_common(2)}"
    return result
