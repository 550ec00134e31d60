"""A value that costs something to read: read again every few seconds, and never waited for longer than a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """What `read` said last; `nothing` until it has said anything. One reading is under way at most."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], nothing: T, fresh_seconds: float = 5.0, patience_seconds: float = 1.0
    ) -> None:
        self._read = read
        self._last = nothing
        self._fresh = fresh_seconds
        self._patience = patience_seconds
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """The last value, read anew where it is not fresh; where that takes long, the one before."""
        if time.monotonic() - self._read_at > self._fresh:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._renew())
            await asyncio.wait([self._reading], timeout=self._patience)
            if self._reading.done():
                self._reading.result()
        return self._last

    async def _renew(self) -> None:
        self._last = await self._read()
        self._read_at = time.monotonic()
