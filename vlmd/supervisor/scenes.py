"""Where scenes begin: known from an earlier job of the same video, or found by a decoder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from vlmd.clock import now_ms
from vlmd.core.recipe import fit_edge
from vlmd.core.video import VideoIndex
from vlmd.media.client import Decoder
from vlmd.store import Store, cuts

DETECTOR = "content/1"
"""The detector, and the version of how pictures are shown to it."""
_EDGE = 256
"""Longest edge, in pixels, of the pictures the detector compares."""

Decoding = Callable[[Callable[[Decoder], list[int]]], Awaitable[list[int]]]
"""Runs a function with a decoder of the video, in a thread that outlives it."""

Told = Callable[[float], None]


class Scenes:
    """Finds every video's scenes once, also where several jobs ask at the same time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looking: dict[tuple[str, str], asyncio.Lock] = {}

    async def cuts_ms(self, index: VideoIndex, threshold: float, decoding: Decoding, looked_at: Told) -> list[int]:
        """When scenes begin, but for the first; `looked_at` is told which share was looked at. Raises `MediaError`."""
        key = (index.facts.fingerprint, f"{DETECTOR}/{threshold:g}")
        async with self._looking.setdefault(key, asyncio.Lock()):
            pts = await self._store.write(cuts.find, *key)
            if pts is None:
                pts = await decoding(lambda decoder: find_cuts(decoder, index, threshold, looked_at))
                await self._store.write(cuts.keep, *key, pts, now_ms())
        self._looking.pop(key, None)
        return [index.ms(one) for one in pts]


def find_cuts(decoder: Decoder, index: VideoIndex, threshold: float, looked_at: Told) -> list[int]:
    """Ticks at which scenes begin, but for the first. Raises `MediaError`."""
    width, height = fit_edge(index.facts.width, index.facts.height, _EDGE)
    pictures = len(index.pts)
    return decoder.cuts(index, threshold, width, height, lambda count: looked_at(min(1.0, count / pictures)))
