"""Which of its sizes a family shows frames in. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from vlmd.core.errors import Code, WorkerError
from vlmd.core.figures import FrameSize

MARKUP_TOKENS = 64
"""Room for what the chat template and the window's own times add to a prompt."""


def choose_size(sizes: Sequence[FrameSize], preferred: int, *, bound: int | None, frames: int, room: int) -> FrameSize:
    """The finest size within `bound` tokens a frame; without a bound the preferred one, or a coarser one that fits.

    `frames` are shown in a window, and have `room` tokens in all. Raises `WorkerError` where there is no such size.
    """
    room -= MARKUP_TOKENS
    if bound is None:
        wanted, coarser = sizes[preferred], reversed(sizes[: preferred + 1])
        fitting = next((size for size in coarser if frames * size.most <= room), None)
    else:
        within = [size for size in sizes if size.most <= bound]
        if not within:
            reason = f"frame_tokens = {bound} is too few: a frame takes {sizes[0].most} tokens at the least"
            raise WorkerError(Code.CONTEXT_EXCEEDED, reason)
        wanted = within[-1]
        fitting = wanted if frames * wanted.most <= room else None
    if fitting is None:
        least = wanted if bound is not None else sizes[0]
        raise WorkerError(
            Code.CONTEXT_EXCEEDED,
            f"{frames} frames of {least.most} tokens do not fit into the model's context: beside prompt and answer "
            f"there is room for {max(0, room) // least.most}",
        )
    return fitting
