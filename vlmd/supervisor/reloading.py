"""A running daemon reads its settings again: takes over what it can, says what has to wait for a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vlmd.config import Live, Settings
from vlmd.config.changes import Changes, changes, kept
from vlmd.config.keys import dotted
from vlmd.core.errors import VlmdError
from vlmd.core.messages import ModelSpec
from vlmd.inbox import Inbox
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.folders import make_folders
from vlmd.supervisor.models import complete, model_specs
from vlmd.supervisor.planning import Planner

logger = logging.getLogger("vlmd.reload")


@dataclass(frozen=True)
class Reloaded:
    """What became of a reload."""

    changed: list[str]
    """Keys whose new values count from now on."""
    restart: list[str]
    """Keys that were changed and keep their old values until the daemon is restarted."""
    planned_again: list[int]
    """Jobs that ask something else now, or nothing any more."""

    def sentences(self) -> list[str]:
        told = [f"{key} has changed" for key in self.changed]
        told += [f"{key} needs a restart; until then it stays as it was" for key in self.restart]
        return told or ["nothing has changed"]


class Reloading:
    """One reload after another, whoever asks for it."""

    def __init__(
        self,
        live: Live,
        models: dict[str, ModelSpec],
        planner: Planner,
        fleet: Fleet,
        inbox: Inbox,
        changed: Callable[[], None],
        announced: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`announced`: the service manager knows that everything inside is a reload."""
        self._live = live
        self._models = models
        self._planner = planner
        self._fleet = fleet
        self._inbox = inbox
        self._changed = changed
        self._announced = announced
        self._asked = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def ask(self) -> None:
        """At a signal: reload soon."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever asked; what is wrong is logged, and the old settings stay."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload()
            except VlmdError as error:
                logger.error("nothing was reloaded, the old settings stay: %s", error)

    async def reload(self) -> Reloaded:
        """Read everything again and take over what can be. Raises `VlmdError` with nothing changed."""
        async with self._one_at_a_time:
            with self._announced():
                reloaded = await self._reload()
        for sentence in reloaded.sentences():
            logger.info(sentence)
        return reloaded

    async def models_again(self) -> None:
        """Look again at the files of models that could not be loaded: they may have been repaired, or put there."""
        async with self._one_at_a_time:
            known = self._models.keys() - self._fleet.unloadable().keys()
            fresh = await asyncio.to_thread(model_specs, self._live.now, known)
            self._models.update(fresh)
            for job in await self._planner.adopt():
                self._fleet.cancel(job)
            self._changed()

    async def _reload(self) -> Reloaded:
        new = await asyncio.to_thread(self._live.read_again)
        found = changes(self._live.now, new, self._models.keys())
        settings = kept(self._live.now, new, found)
        settings.require_runnable()
        fresh = await asyncio.to_thread(_prepare, settings, list(self._models))
        return await self._take_over(settings, fresh, found)

    async def _take_over(self, settings: Settings, fresh: dict[str, ModelSpec], found: Changes) -> Reloaded:
        self._models.update(fresh)
        self._live.now = settings
        self._fleet.reload(settings.limits)
        self._inbox.reload()
        jobs = await self._planner.adopt()
        for job in jobs:
            self._fleet.cancel(job)
        self._changed()
        return Reloaded([dotted(keys) for keys in found.at_once], [dotted(keys) for keys in found.at_restart], jobs)


def _prepare(settings: Settings, known: list[str]) -> dict[str, ModelSpec]:
    """Whatever may go wrong, before anything is changed: folders, and the files of models not used before."""
    make_folders(settings)
    return complete(model_specs(settings, known))
