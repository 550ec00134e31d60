"""What a model would take and where it would fit, as one document: for `--json`, and for the tables of `vlmd plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict, replace

from vlmd.core import plans
from vlmd.core.errors import WorkerError
from vlmd.core.figures import Figures, FrameSize
from vlmd.core.plans import Shape

PRECISIONS = ("bf16", "int8", "nf4")
"""fp16 takes what bf16 takes."""
CARDS = (8, 12, 16, 24, 32, 40, 48, 80, 96, 141)
"""Gigabytes of the cards that there are."""
_USABLE = 15 / 16
"""Of a card's nominal memory: a T4 of 16 GB shows 15,360 MiB, an L4 of 24 GB 23,034."""


@dataclass(frozen=True)
class Card:
    """A GPU that is here, or one that somebody thinks of."""

    name: str
    total: int
    free: int


def imagined(gigabytes: float) -> Card:
    """A card that is sold as one with so much memory."""
    usable = int(gigabytes * (1 << 30) * _USABLE)
    return Card(f"{gigabytes:g} GB", usable, usable)


def for_picture(figures: Figures, width: int, height: int) -> Figures:
    """With the tokens that a frame of this shape takes, at the most."""
    if abs(width * 9 - height * 16) <= 16:
        return figures
    return replace(figures, sizes=[replace(size, tokens=size.most) for size in figures.sizes])


def document(figures: Figures, shape: Shape, batch: int, cards: Sequence[Card]) -> dict[str, Any]:
    """Everything in bytes and tokens."""
    chosen, problem = _chosen(figures, shape)
    return {
        "architecture": figures.architecture,
        "family": figures.family,
        "parameters": figures.parameters,
        "quantizable": figures.quantizable,
        "context": figures.context,
        "cache_bytes_per_token": figures.kv_elements * 2,
        "shared": figures.shared,
        "window": asdict(shape),
        "problem": problem,
        "sizes": [_size(figures, shape, size, size is chosen) for size in figures.sizes],
        "batch": batch,
        "memory": [
            _memory(figures, shape, precision, size, batch) for precision in PRECISIONS for size in figures.sizes
        ],
        "cards": [_card(figures, shape, card, chosen) for card in cards],
    }


def smallest_card(figures: Figures, precision: str, shape: Shape) -> int | None:
    """Gigabytes of the smallest card that answers one window at a time; None where none does."""
    needed = plans.one_window(figures, precision, shape).total
    return next((card for card in CARDS if imagined(card).free >= needed), None)


def _chosen(figures: Figures, shape: Shape) -> tuple[FrameSize | None, str | None]:
    """The size that is taken, or why none can be."""
    try:
        return plans.chosen_size(figures, shape), None
    except WorkerError as error:
        return None, error.failure.reason


def _size(figures: Figures, shape: Shape, size: FrameSize, taken: bool) -> dict[str, Any]:
    most = plans.most_frames(figures, size, shape)
    return {
        "frame_tokens": size.tokens,
        "frame_tokens_at_most": size.most,
        "longest_edge": size.edge,
        "window_tokens": plans.prompt_tokens(figures, size, shape),
        "frames_that_fit": most,
        "fits_context": most is None or most >= shape.frames,
        "taken": taken,
    }


def _memory(figures: Figures, shape: Shape, precision: str, size: FrameSize, batch: int) -> dict[str, Any]:
    parts = plans.plan(figures, precision, size, shape, batch)
    return {
        "precision": precision,
        "frame_tokens": size.tokens,
        "weights_bytes": parts.weights,
        "cache_bytes": parts.kv,
        "activations_bytes": parts.activations,
        "context_bytes": parts.context,
        "total_bytes": parts.total,
    }


def _card(figures: Figures, shape: Shape, card: Card, chosen: FrameSize | None) -> dict[str, Any]:
    auto = plans.automatic(figures, shape, card.total, "bf16")
    rows = [
        {
            "precision": precision,
            "frame_tokens": size.tokens,
            "largest_batch": plans.largest_batch(figures, precision, size, shape, card.free),
        }
        for precision in PRECISIONS
        for size in figures.sizes
    ]
    taken = chosen or figures.sizes[0]
    return {
        "name": card.name,
        "total_bytes": card.total,
        "free_bytes": card.free,
        "auto": auto,
        "largest_batch": plans.largest_batch(figures, auto, taken, shape, card.free) if chosen else 0,
        "least_bytes": plans.plan(figures, "nf4", taken, shape, 1).total,
        "fits": rows,
    }
