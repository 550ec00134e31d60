"""Delivers notices to hooks: a few at once, each until a hook has taken it or the tries are used up."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping

from vlmd.clock import now_ms
from vlmd.config import Settings
from vlmd.config.kinds import Hook
from vlmd.core.errors import StoreError
from vlmd.log import about
from vlmd.store import Store, notices
from vlmd.store.notices import Notice
from vlmd.supervisor.hooks import retry
from vlmd.supervisor.hooks.command import run_command
from vlmd.supervisor.hooks.document import tell
from vlmd.supervisor.hooks.webhook import post, read_secret
from vlmd.supervisor.metrics import Metrics
from vlmd.supervisor.pool import Pool

logger = logging.getLogger("vlmd.hooks")

_AT_ONCE = 2
_LOOK_AHEAD = 64


class Hooks:
    """Tells what was configured of what happened. The queue never waits for it."""

    def __init__(self, settings: Settings, store: Store, metrics: Metrics) -> None:
        hooks = settings.hooks
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._hooks: Mapping[str, Hook] = {
            event: hook for event, hook in (("done", hooks.on_done), ("failed", hooks.on_failed)) if hook is not None
        }
        self._secret = b"" if hooks.secret_file is None else read_secret(hooks.secret_file)
        self._pool = Pool(_AT_ONCE, self._due, self._tell)
        self._alarm: asyncio.TimerHandle | None = None

    async def adopt(self) -> None:
        """At start, before any job moves: the database notes what these hooks are to be told, and nothing else."""
        await self._store.write(notices.want, list(self._hooks), now_ms())

    async def run(self) -> None:
        if self._hooks:
            await self._pool.run()

    def wake(self) -> None:
        """A job may have ended."""
        self._pool.wake()

    async def settled(self) -> bool:
        """Every notice was tried at least once."""
        return not self._hooks or not await self._store.write(notices.untried)

    async def _due(self) -> list[Notice]:
        """Notices to be delivered now; when the next one is due, the pool is woken."""
        waiting, now = await self._store.write(notices.waiting, _LOOK_AHEAD), now_ms()
        waits = [retry.wait_ms(notice.due_at, now) for notice in waiting]
        if self._alarm is not None:
            self._alarm.cancel()
        if later := [wait for wait in waits if wait]:
            self._alarm = asyncio.get_running_loop().call_later(min(later) / 1000, self._pool.wake)
        return [notice for notice, wait in zip(waiting, waits, strict=True) if not wait]

    async def _tell(self, notice: Notice) -> None:
        problem = await self._try(notice)
        if problem is None:
            await self._store.write(notices.delivered, notice.id)
            self._metrics.hook(notice.event, "delivered")
            logger.debug("on_%s: told", notice.event, extra=about(job=notice.job_id))
            return
        again = retry.next_try(notice.tries + 1, self._settings.hooks.tries, now_ms())
        await self._store.write(notices.failed, notice.id, problem, again)
        self._metrics.hook(notice.event, "given-up" if again is None else "failed")
        self._complain(notice, problem, again is None)

    async def _try(self, notice: Notice) -> str | None:
        """None when the hook has taken it, or nothing is left to tell of; else the reason."""
        hook, limit = self._hooks[notice.event], self._settings.hooks.timeout_seconds
        try:
            told = await asyncio.to_thread(tell, notice, self._settings.paths)
        except (sqlite3.OperationalError, StoreError) as error:
            return f"the job cannot be read: {error}"
        if told is None:
            return None
        if isinstance(hook, str):
            return await post(hook, told, self._secret, limit)
        try:
            return await run_command(hook, told, limit)
        except OSError as error:
            return f"no process can be started: {error}"

    def _complain(self, notice: Notice, problem: str, given_up: bool) -> None:
        count, most = notice.tries + 1, self._settings.hooks.tries
        words = "given up; a restart of vlmd tries again" if given_up else "tried again later"
        level = logging.ERROR if given_up else logging.WARNING
        message = "on_%s, try %d of %d: %s; %s"
        logger.log(level, message, notice.event, count, most, problem, words, extra=about(job=notice.job_id))
