"""Asks the daemon what a frame needs, and keeps what was seen so far; for `top`."""

from __future__ import annotations

import datetime
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from vlmd.cli.client import Client
from vlmd.core.errors import VlmdError
from vlmd.tui.frame import Frame, make_frame, running_jobs
from vlmd.tui.seen import Cursors, Seen, Sighting

PERIOD_SECONDS = 1.0
_JOBS = 100
_EVENTS = 100
"""More than any terminal has lines."""
_PAGE = 500
_JOBS_AT_ONCE = 4
"""Jobs of which old answers are read in one look: a screen that starts late catches up bit by bit."""


class Look(msgspec.Struct, frozen=True):
    """What one look showed; where the daemon did not answer, `trouble` says so and the rest is as it was before."""

    document: dict[str, Any] | None
    frame: Frame | None
    trouble: str = ""


class Watch:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._last = Look(None, None)
        self._begin()

    def look(self) -> Look:
        """Ask, in one request and one for new answers; never raises what a daemon that is gone explains."""
        try:
            self._last = self._ask()
            return self._last
        except VlmdError as error:
            self._begin()  # another daemon, another database: nothing that was read goes on from here
            return msgspec.structs.replace(self._last, trouble=str(error))

    def frame(self) -> Frame:
        """A frame that has everything, however long it takes. Raises `NotRunning`."""
        while True:
            look = self._ask()
            if look.frame is not None and all(map(self._cursors.complete, running_jobs(look.document or {}))):
                return look.frame

    def _begin(self) -> None:
        self._seen, self._cursors = Seen(), Cursors()

    def _ask(self) -> Look:
        document = self._client.screen(_JOBS)
        running = running_jobs(document)
        self._read_newest()
        for job, after in list(self._cursors.unread(running).items())[:_JOBS_AT_ONCE]:
            page = self._client.answers(after, _PAGE, job)
            self._seen.take(page)
            self._cursors.read_job(job, page, _PAGE)
        known = {job: count for job, count in self._seen.counts().items() if self._cursors.complete(job)}
        zeros = dict.fromkeys(filter(self._cursors.complete, running), 0)
        return Look(document, _frame(document, self._seen.newest(_EVENTS), zeros | known))

    def _read_newest(self) -> None:
        page = self._client.answers(self._cursors.newest, _PAGE)
        self._seen.take(page)
        self._cursors.read_newest(page, _PAGE)


def _frame(document: dict[str, Any], seen: list[Sighting], counts: dict[int, int]) -> Frame:
    try:
        return make_frame(document, seen, counts, datetime.datetime.now(datetime.UTC))
    except KeyError as missing:
        raise VlmdError(f"the running daemon says no {missing}; it is another version, restart it") from missing


class Asking:
    """Looks once a second, one look after another, in a thread that nobody has to wait for."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look
        self._looks: queue.SimpleQueue[Look | BaseException] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="asking", daemon=True).start()

    def newest(self) -> Look | None:
        """The last look that has not been taken yet. Raises what the thread failed of."""
        newest = None
        while not self._looks.empty():
            found = self._looks.get()
            if isinstance(found, BaseException):
                raise found
            newest = found
        return newest

    def _run(self) -> None:
        try:
            while True:
                begun = time.monotonic()
                self._looks.put(self._look())
                time.sleep(max(0.0, begun + PERIOD_SECONDS - time.monotonic()))
        except BaseException as error:  # noqa: BLE001  raised again where the screen is drawn
            self._looks.put(error)
