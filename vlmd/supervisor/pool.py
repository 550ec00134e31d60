"""Doing what there is to do, a few things at a time: the loop that planning and merging share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    @property
    def id(self) -> int: ...


T = TypeVar("T", bound=Numbered)


class Pool(Generic[T]):
    """Works on what `find` lists, first things first, `at_once` at a time and none of them twice at the same time."""

    def __init__(
        self, at_once: int, find: Callable[[], Awaitable[Sequence[T]]], work: Callable[[T], Awaitable[None]]
    ) -> None:
        self._at_once = at_once
        self._find = find
        self._work = work
        self._running: set[int] = set()
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def run(self) -> None:
        """For ever. An error of `work` ends it, and everything under way with it."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._woken.wait()
                self._woken.clear()
                for thing in await self._find():
                    if thing.id not in self._running and len(self._running) < self._at_once:
                        self._running.add(thing.id)
                        tasks.create_task(self._one(thing))

    async def _one(self, thing: T) -> None:
        try:
            await self._work(thing)
        finally:
            self._running.discard(thing.id)
            self._woken.set()
