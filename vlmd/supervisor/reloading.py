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
from vlmd.core.errors import ConfigError, Failure, VlmdError
from vlmd.core.messages.worker import ModelSpec
from vlmd.inbox import Inbox
from vlmd.supervisor.fleet.fleet import Fleet
from vlmd.supervisor.folders import make_folders
from vlmd.supervisor.models import present_models
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
        absent: dict[str, Failure],
        planner: Planner,
        fleet: Fleet,
        inbox: Inbox,
        changed: Callable[[], None],
        announced: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`announced`: the service manager knows that everything inside is a reload."""
        self._live = live
        self._models = models
        self._absent = absent
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

    async def _reload(self) -> Reloaded:
        new = await asyncio.to_thread(self._live.read_again)
        found = changes(self._live.now, new, self._models.keys())
        settings = kept(self._live.now, new, found)
        settings.require_runnable()
        fresh, absent = await asyncio.to_thread(_prepare, settings, list(self._models), set(self._absent))
        self._have(fresh, absent)
        return await self._take_over(settings, found)

    async def look_again(self) -> None:
        """Models that were not here, or could not be loaded, may have come, or been repaired, meanwhile."""
        async with self._one_at_a_time:
            settings = self._live.now
            known = self._models.keys() - self._fleet.unloadable().keys() - self._absent.keys()
            fresh, absent = await asyncio.to_thread(present_models, settings, known)
            self._have(fresh, absent)
            if fresh:
                await self._take_over(settings, Changes([], []))

    def _have(self, fresh: dict[str, ModelSpec], absent: dict[str, Failure]) -> None:
        for name in fresh.keys() & self._absent.keys():
            logger.info("model %s is here now", name)
        self._models.update(fresh)
        self._absent.clear()
        self._absent.update(absent)

    async def _take_over(self, settings: Settings, found: Changes) -> Reloaded:
        self._live.now = settings
        self._fleet.reload(settings)
        self._inbox.reload()
        jobs = await self._planner.adopt()
        for job in jobs:
            self._fleet.cancel(job)
        self._changed()
        return Reloaded([dotted(keys) for keys in found.at_once], [dotted(keys) for keys in found.at_restart], jobs)


def _prepare(settings: Settings, known: list[str], missed: set[str]) -> tuple[dict[str, ModelSpec], dict[str, Failure]]:
    """Whatever may go wrong, before anything is changed: folders, and the files of models not used before.

    A model that was `missed` already may still be.
    """
    make_folders(settings)
    fresh, absent = present_models(settings, known)
    if unheard := [str(failure) for name, failure in absent.items() if name not in missed]:
        raise ConfigError(unheard)
    return fresh, absent
