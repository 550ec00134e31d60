"""The daemon: everything wired together, started, and ended in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence

from vlmd.clock import now_ms
from vlmd.config import Settings
from vlmd.core.errors import VlmdError
from vlmd.core.messages import ModelSpec
from vlmd.inbox import Inbox
from vlmd.store import Store, windows
from vlmd.supervisor.control import Control
from vlmd.supervisor.devices import Device, discover
from vlmd.supervisor.fleet import Fleet
from vlmd.supervisor.merging import Mergers
from vlmd.supervisor.models import model_spec
from vlmd.supervisor.nvml import Nvml
from vlmd.supervisor.planning import Planner
from vlmd.supervisor.process import python

logger = logging.getLogger("vlmd.daemon")

WORKER_COMMAND = python("vlmd.worker")
_DONE_CHECK_SECONDS = 0.2


class Daemon:
    """`run` is its life: it returns when the daemon was told to stop, or, with `once`, when all is done."""

    def __init__(self, settings: Settings, once: bool = False, worker_command: Sequence[str] = WORKER_COMMAND) -> None:
        self.settings = settings
        self._once = once
        self._worker_command = worker_command
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        settings = self.settings
        settings.require_runnable()
        _make_folders(settings)
        self.store = await Store.open(settings.paths.database)
        try:
            self.nvml = Nvml()
            self.devices = await discover(settings.devices, os.environ, self.nvml)
            await self._wire(self.devices)
            await self._recover()
            await self._serve()
        finally:
            await self.store.close()
        logger.info("stopped")

    async def _wire(self, devices: Sequence[Device]) -> None:
        settings, store = self.settings, self.store
        self.models = await asyncio.to_thread(_model_specs, settings)
        self.planner = Planner(settings, store, self.models, self.changed)
        self.fleet = Fleet(settings, store, self.models, devices, self._worker_command, self.changed)
        self.mergers = Mergers(settings, store, self.changed)
        self.inbox = Inbox(settings, store, self.changed, self.voided)
        self.control = Control(self)

    async def _recover(self) -> None:
        """After a crash nothing is in anybody's hands, and every unfinished job goes on where it was."""
        if count := await self.store.write(windows.recover, now_ms()):
            logger.info("%d windows were in workers' hands; they are queued again", count)
        await self.planner.adopt()

    async def _serve(self) -> None:
        """Run every part until told to stop. A part that fails takes the daemon down: half a daemon helps nobody."""
        self._listen_to_signals()
        async with asyncio.TaskGroup() as tasks:
            parts = [
                tasks.create_task(part.run())
                for part in (self.control, self.inbox, self.planner, self.mergers, self.fleet.checkpoints)
            ]
            fleet = tasks.create_task(self.fleet.run())
            parts.append(tasks.create_task(self._end_when_done()))
            await self._stopping.wait()
            await self._stop(fleet)
            for part in parts:
                part.cancel()

    async def _stop(self, fleet: asyncio.Task[None]) -> None:
        """Let the workers finish the batches in hand, then write what they said."""
        logger.info("stopping: workers finish the batch in hand")
        self.planner.stop()
        self.fleet.stop()
        done, _ = await asyncio.wait([fleet], timeout=self.settings.limits.stop_seconds)
        if not done:
            logger.warning("workers did not end within %.0f s; killed", self.settings.limits.stop_seconds)
            self.fleet.kill("the daemon had to stop")
            await asyncio.wait([fleet])
        await self.fleet.checkpoints.settled()

    def changed(self) -> None:
        """Something moved: let every part see whether that is work for it."""
        self.planner.wake()
        self.fleet.wake()
        self.mergers.wake()

    async def voided(self, jobs: list[int]) -> None:
        """Jobs ended because their file changed: workers leave them."""
        for job in jobs:
            self.fleet.cancel(job)

    def stop(self) -> None:
        """Once: end in order. Twice: at once; everything acknowledged is on disk already."""
        if self._stopping.is_set():
            self.fleet.kill("the daemon was told to stop twice")
        self._stopping.set()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    async def _end_when_done(self) -> None:
        """With `once`: stop when the inbox was looked through and no job is left to do."""
        while self._once and not self._stopping.is_set():
            await asyncio.sleep(_DONE_CHECK_SECONDS)
            if await self._all_done():
                logger.info("everything is done")
                self._stopping.set()

    async def _all_done(self) -> bool:
        return self.inbox.looks > 0 and not self.inbox.settling and await self.store.write(windows.all_ended)


def _model_specs(settings: Settings) -> Mapping[str, ModelSpec]:
    """Every model a pipeline uses; reads their files."""
    cache = settings.paths.state / "model-digests.json"
    used = {pipeline.model for pipeline in settings.pipelines.values()}
    return {
        name: model_spec(name, model, settings.devices.threads, cache)
        for name, model in settings.models.items()
        if name in used
    }


def _make_folders(settings: Settings) -> None:
    paths = settings.paths
    try:
        paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in [paths.results, paths.inbox, *(paths.inbox / name for name in settings.pipelines)]:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VlmdError(f"cannot make {error.filename}: {error.strerror}; change [paths] in config.toml") from error
