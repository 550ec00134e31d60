"""Group commit: answers that arrive while one commit runs share the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from vlmd.clock import now_ms
from vlmd.log import about
from vlmd.store import Store, windows

logger = logging.getLogger("vlmd.checkpoints")

_MOST = 256
"""Answers in one transaction."""

Committed = Callable[[list[windows.Delivery]], None]


class Checkpoints:
    """Takes answers, writes them, and only then tells anybody."""

    def __init__(self, store: Store, committed: Committed, failure_limit: int) -> None:
        self._store = store
        self._committed = committed
        self.failure_limit = failure_limit
        self._waiting: asyncio.Queue[windows.Delivery] = asyncio.Queue()

    def put(self, delivery: windows.Delivery) -> None:
        self._waiting.put_nowait(delivery)

    async def settled(self) -> None:
        """Wait until every answer put so far is on disk."""
        await self._waiting.join()

    async def run(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._write(batch)
            for _ in batch:
                self._waiting.task_done()

    async def _write(self, batch: list[windows.Delivery]) -> None:
        accepted, wrong = await self._store.write(windows.checkpoint, batch, now_ms())
        for delivery, failure in wrong:
            answer = delivery.answer
            logger.error("%s: %s", failure.code, failure.reason, extra=_ids(delivery))
            await self._store.write(
                windows.fail, answer.lease, answer.window, failure, True, self.failure_limit, now_ms()
            )
        for delivery in accepted:
            logger.debug("answered %.1f s after its lease", delivery.since_lease_ms / 1000, extra=_ids(delivery))
        self._committed(accepted)


def _ids(delivery: windows.Delivery) -> dict[str, Any]:
    return about(delivery.job, delivery.answer.window, delivery.answer.lease, delivery.worker)
