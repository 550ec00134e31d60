"""The daemon: everything wired together, started, and ended in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config import Live, Settings
from vlmd.core.errors import ConfigError, Failure
from vlmd.store import Store, windows
from vlmd.supervisor.api.server import Api
from vlmd.supervisor.devices.discovery import discover
from vlmd.supervisor.devices.nvml import Nvml
from vlmd.supervisor.fleet.worker import WORKER_COMMAND
from vlmd.supervisor.folders import make_folders
from vlmd.supervisor.models import present_models, problems_of_models
from vlmd.supervisor.notify import Heartbeat, Manager
from vlmd.supervisor.parts import Parts, wire

logger = logging.getLogger("vlmd.daemon")

_DONE_CHECK_SECONDS = 0.2


class Daemon:
    """`run` is its life: it returns when the daemon was told to stop, or, with `once`, when all is done.

    `reload` reads the settings again, at a SIGHUP or by request.
    """

    def __init__(
        self,
        settings: Settings,
        once: bool = False,
        worker_command: Sequence[str] = WORKER_COMMAND,
        reload: Callable[[], Settings] | None = None,
    ) -> None:
        self._live = Live(settings, reload)
        self._once = once
        self._worker_command = worker_command
        self._manager = Manager(os.environ)
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Raises `ConfigError`, `StoreError`, or `NoWorkers` where it cannot (go on to) do anything."""
        settings, self._loop = self._live.now, asyncio.get_running_loop()
        settings.require_runnable()
        make_folders(settings)
        store = await Store.open(settings.paths.database)
        try:
            nvml = Nvml()
            devices = await discover(settings.devices, os.environ, nvml)
            models, absent = await asyncio.to_thread(present_models, settings)
            self._tell_absent(models, absent)
            command, reloading = self._worker_command, self._manager.reloading
            parts = wire(self._live, store, models, absent, devices, nvml, command, reloading)
            await _recover(parts)
            await self._serve(parts)
        except BaseException:
            await store.close(in_order=False)
            raise
        await store.close()
        logger.info("stopped")

    def _tell_absent(self, models: Collection[str], absent: Mapping[str, Failure]) -> None:
        """Some models may be missing; but not all, nor any where the end of all jobs is waited for."""
        if absent and (self._once or not models):
            raise ConfigError(problems_of_models(self._live.now) or [str(failure) for failure in absent.values()])
        for name, failure in absent.items():
            logger.error("jobs for model %s wait: %s (%s)", name, failure.reason, failure.remedy)

    async def _serve(self, parts: Parts) -> None:
        """Run every part until told to stop. A part that fails takes the daemon down: half a daemon helps nobody."""
        self._listen_to_signals(parts)
        serving = (
            Api(parts),
            Heartbeat(self._manager, parts),
            parts.gpu_health,
            parts.keeper,
            parts.hooks,
            parts.reloading,
            parts.book,
        )
        running = (*serving, parts.inbox, parts.planner, parts.mergers, parts.collector, parts.fleet.checkpoints)
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(part.run()) for part in running]
                others.append(tasks.create_task(self._end_when_done(parts)))
                fleet = tasks.create_task(parts.fleet.run())
                await self._stopping.wait()
                await self._stop(parts, fleet)
                for task in others:
                    task.cancel()
        finally:
            parts.planner.stop()

    async def _stop(self, parts: Parts, fleet: asyncio.Task[None]) -> None:
        """Let the workers finish the batches in hand, then write what they said."""
        logger.info("stopping: workers finish the batch in hand")
        patience = self._live.now.limits.stop_seconds
        self._manager.stopping(patience)
        parts.planner.stop()
        parts.fleet.stop()
        done, _ = await asyncio.wait([fleet], timeout=patience)
        if not done:
            logger.warning("workers did not end within %.0f s; killed", patience)
            parts.fleet.kill("the daemon had to stop")
            parts.store.give_up()
            await asyncio.wait([fleet])
        await parts.fleet.checkpoints.settled()

    def stop(self) -> None:
        """End in order; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _listen_to_signals(self, parts: Parts) -> None:
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            return  # signals are the main thread's; whoever runs it here stops it
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, parts)
        loop.add_signal_handler(signal.SIGHUP, parts.reloading.ask)

    def _told_to_stop(self, parts: Parts) -> None:
        """Once: end in order. Twice: at once; everything acknowledged is on disk already."""
        if self._stopping.is_set():
            parts.fleet.kill("the daemon was told to stop twice")
            parts.store.give_up()
        self._stopping.set()

    async def _end_when_done(self, parts: Parts) -> None:
        """With `once`: stop when the inbox was looked through and no job is left to do, or none can go on."""
        while self._once and not self._stopping.is_set():
            await asyncio.sleep(_DONE_CHECK_SECONDS)
            if await _all_done(parts):
                logger.info("everything is done")
                self._stopping.set()
            elif reason := await _why_nothing_moves(parts):
                logger.error("not everything is done, and nothing can go on: %s", reason)
                self._stopping.set()


async def _recover(parts: Parts) -> None:
    """After a crash nothing is in anybody's hands, and every unfinished job goes on where it was."""
    if count := await parts.store.write(windows.recover, now_ms()):
        logger.info("%d windows were in workers' hands; they are queued again", count)
    await parts.hooks.adopt()
    await parts.planner.adopt()


async def _all_done(parts: Parts) -> bool:
    inbox = parts.inbox
    looked = inbox.looks > 0 and not inbox.settling
    ended = looked and await parts.store.write(windows.all_ended)
    return ended and await parts.collector.settled() and await parts.hooks.settled()


async def _why_nothing_moves(parts: Parts) -> str | None:
    """Why the jobs that are left wait for a person; None while anything else is going on."""
    inbox = parts.inbox
    if inbox.looks == 0 or inbox.settling or not await parts.store.write(windows.only_windows_left):
        return None
    reason = parts.fleet.why_nothing_moves({job.model for job in await parts.store.write(windows.open_jobs)})
    await parts.fleet.checkpoints.settled()  # the last answer of a job makes it one that is merged
    waiting = await parts.store.write(windows.only_windows_left)
    return reason if waiting else None
