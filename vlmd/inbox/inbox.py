"""The inbox loop: look, wait until files have settled, register or refuse them."""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import msgspec

from vlmd.clock import now_ms
from vlmd.config import Live, Settings
from vlmd.core import names
from vlmd.core.errors import Code, MediaError
from vlmd.core.video import FileIdentity, FileRef
from vlmd.inbox import questions
from vlmd.inbox.scan import Scan, Seen, scan
from vlmd.inbox.settle import Settling
from vlmd.inbox.watch import Watch
from vlmd.log import about
from vlmd.media.opening import identify
from vlmd.store import Store, collections, files

logger = logging.getLogger("vlmd.inbox")

_SHORTEST_PAUSE = 0.25
"""Seconds between two looks, however many hints arrive."""
_AT_ONCE = 200
"""Files that are taken in one transaction."""
_SHOWN = 100
_CONFIG_REFUSALS = [Code.UNKNOWN_PIPELINE, Code.NO_PIPELINE, Code.TOO_LARGE, Code.UNREADABLE]
"""Refusals that another configuration, or other permissions, may lift: looked at again at every start and reload."""

Found = files.NewJob | files.Refusal | files.Noted | files.Collected
"""What becomes of a file."""
Voided = Callable[[list[int]], Awaitable[None]]
"""Called with jobs that ended because their file changed."""


class Inbox:
    """Turns files that lie in the inbox into jobs, each exactly once."""

    def __init__(self, live: Live, store: Store, wake: Callable[[], None], voided: Voided) -> None:
        self._live = live
        self._root = os.fsencode(live.now.paths.inbox)
        self._store = store
        self._wake = wake
        self._voided = voided
        self._settling = Settling(live.now.inbox.settle_seconds)
        self._known: dict[bytes, FileIdentity] = {}
        self._asking: set[bytes] = set()
        """Those of them that are files of questions."""
        self._refused: set[bytes] = set()
        self._unsettled: set[bytes] = set()
        """As of the last look."""
        self._watch = Watch(self._root)
        self._begun = False
        """What is known of the files was read under the settings as they are now."""
        self.ignored = 0
        self.problem: str | None = None
        self.looks = 0
        self.readable = False
        """The last look saw the inbox."""

    @property
    def _settings(self) -> Settings:
        """As they are now."""
        return self._live.now

    @property
    def settling(self) -> list[str]:
        """Files that may still grow, as they are shown: the first ones, if they are many."""
        first = heapq.nsmallest(_SHOWN, self._settling.paths())
        return [names.shown(os.path.relpath(path, self._root)) for path in first]

    @property
    def growing(self) -> dict[str, float]:
        """Those of them that did change since they were first seen, and how many seconds ago that was: a recording
        that never ends is never taken, and should not be forgotten either."""
        growing = self._settling.growing(time.monotonic())
        return {names.shown(os.path.relpath(path, self._root)): seconds for path, seconds in growing.items()}

    async def run(self) -> None:
        try:
            while True:
                if not self._begun:
                    await self._begin()
                await self.look()
                await self._pause()
        finally:
            self._watch.stop()

    def reload(self) -> None:
        """The settings have changed: look again, also at what was refused under the old ones."""
        self._begun = False
        self._watch.changed.set()

    async def _begin(self) -> None:
        self._begun = True
        self._settling.quiet = self._settings.inbox.settle_seconds
        await self._store.write(files.forget_refusals, _CONFIG_REFUSALS, now_ms())
        await self._store.write(files.forget_unasked, self._root, questions.ENDINGS, now_ms())
        self._known = await self._store.write(files.known)
        self._asking = set(filter(questions.is_questions, self._known))
        self._refused = await self._store.write(files.refused, self._root)

    async def look(self) -> None:
        """One rescan: whatever has settled gets its job, or its refusal."""
        self._watch.changed.clear()
        found = await self._scan()
        self.readable = found is not None
        if found is None:
            return
        await self._forget_gone({entry.path for entry in found.seen})
        unknown = [entry for entry in found.seen if self._known.get(entry.path) != entry.identity]
        settled = self._settling.observe(unknown, time.monotonic())
        self._unsettled = set(self._settling.paths()) - {entry.path for entry in settled}
        for start in range(0, len(settled), _AT_ONCE):
            await self._take(settled[start : start + _AT_ONCE])
        self.ignored = found.ignored
        self.looks += 1

    async def _forget_gone(self, present: set[bytes]) -> None:
        """A refused file that was taken away is no problem any more; the same one, put back, is looked at again."""
        if gone := self._refused - present:
            await self._store.write(files.drop_refusals, present, self._root, now_ms())
            self._refused -= gone
            for path in gone:
                self._known.pop(path, None)

    async def _scan(self) -> Scan | None:
        try:
            self._watch.renew()
            found = await asyncio.to_thread(scan, self._root, self._settings.inbox.ignore)
        except OSError as error:
            self._say(f"the inbox cannot be read: {error}; create {self._settings.paths.inbox} again")
            return None
        unreadable = [names.shown(folder) for folder in found.unreadable]
        self._say(f"folders that cannot be listed: {', '.join(unreadable)}" if unreadable else self._watch.problem)
        return found

    def _say(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            logger.warning(problem)
        self.problem = problem

    async def _take(self, settled: Sequence[Seen]) -> None:
        """Register or refuse settled files."""
        changed = [entry.path for entry in settled if entry.path in self._known]
        found = await asyncio.to_thread(lambda: [(entry, file) for entry in settled for file in self._inspect(entry)])
        found = await self._apart(found)
        asked = [(entry, file) for entry, file in found if isinstance(file, files.NewJob)]
        others = [(entry, file) for entry, file in found if not isinstance(file, files.NewJob)]
        jobs: dict[tuple[bytes, int], int] = {}
        for start in range(0, len(asked), _AT_ONCE):
            jobs |= await self._register(asked[start : start + _AT_ONCE])
        for start in range(0, len(others), _AT_ONCE):
            await self._register([(entry, _with_jobs(entry, file, jobs)) for entry, file in others[start:][:_AT_ONCE]])
        self._ask_again({entry.path for entry, _ in found}, changed)

    def _ask_again(self, taken: Collection[bytes], changed: Collection[bytes]) -> None:
        """Look again at what asks of the videos among these: their sidecars, and manifests that lacked some.

        Manifests of the same pipeline, that is; and where a video has changed, all of them.
        """
        videos = [path for path in taken if not questions.is_questions(path)]
        sidecars = {path for video in videos for path in questions.sidecars(video)}.difference(taken)
        folders, anew = set(map(self._folder, videos)), {self._folder(path) for path in changed if path in videos}
        for path in self._asking:
            folder = self._folder(path)
            if path in sidecars or folder in anew or (folder in folders and path in self._refused):
                self._known.pop(path, None)

    def _folder(self, path: bytes) -> bytes:
        """The pipeline's folder that a file of the inbox lies in."""
        return os.path.relpath(path, self._root).partition(b"/")[0]

    async def _apart(self, found: list[tuple[Seen, Found]]) -> list[tuple[Seen, Found]]:
        """A manifest whose results would lie where those of another do is refused, with all its samples."""
        refused: dict[bytes, tuple[Seen, Found]] = {}
        for entry, file in found:
            if isinstance(file, files.Collected):
                other = await self._store.write(collections.other, file.source, file.base)
                if other is not None:
                    ref, why = FileRef(self._root, entry.path, entry.identity), questions.clash(file.base, other)
                    refused[entry.path] = entry, files.Refusal(file=ref, origin="inbox", failure=why)
        return [pair for pair in found if pair[0].path not in refused] + list(refused.values())

    async def _register(self, found: Sequence[tuple[Seen, Found]]) -> dict[tuple[bytes, int], int]:
        """In one transaction. What a file of questions asks comes before the file itself counts as taken.

        Returns the jobs of samples, by the file of questions and their numbers.
        """
        taken = await self._store.write(files.take, [file for _, file in found], now_ms())
        for (entry, file), outcome in zip(found, taken, strict=True):
            if isinstance(file, files.Refusal):
                self._refused.add(entry.path)
                why = file.failure
                logger.warning("refused %s: %s (%s)", names.shown(entry.path), why.reason, why.remedy)
            elif isinstance(file, files.Noted | files.Collected):
                logger.debug("noted: %s", names.shown(entry.path))
            else:
                logger.debug("registered: %s", file.name, extra=about(job=outcome.job))
            self._known[entry.path] = entry.identity
            if questions.is_questions(entry.path):
                self._asking.add(entry.path)
            self._settling.forget(entry.path)
        voided = [job for outcome in taken for job in outcome.voided]
        for job in voided:
            logger.info("cancelled: its file changed before it was done", extra=about(job=job))
        await self._voided(voided)
        self._wake()
        return {
            (entry.path, file.sample): outcome.job
            for (entry, file), outcome in zip(found, taken, strict=True)
            if isinstance(file, files.NewJob) and file.sample is not None and outcome.job is not None
        }

    def _inspect(self, entry: Seen) -> list[Found]:
        """What is to become of a settled file; nothing for one that must be looked at again."""
        try:
            pipeline, base = self._place(entry.path)
            identity = self._identify(entry)
            if identity != entry.identity:
                return []
            return self._found(FileRef(self._root, entry.path, identity), pipeline, base)
        except questions.Unsettled:
            return []
        except MediaError as error:
            if error.failure.code == Code.EXHAUSTED:
                self._say(f"{error.failure.reason}; {error.failure.remedy}")
            if error.failure.code in (Code.FILE_MISSING, Code.EXHAUSTED):
                return []
            ref = FileRef(self._root, entry.path, entry.identity)
            return [files.Refusal(file=ref, origin="inbox", failure=error.failure)]

    def _found(self, file: FileRef, pipeline: str, base: str) -> list[Found]:
        """A video has its job, unless it waits for questions; a file of questions has those of its samples."""
        settings, noted = self._settings.pipelines[pipeline], files.Noted(file=file, origin="inbox")
        if questions.is_questions(file.path):
            folder = os.path.join(self._root, os.fsencode(pipeline))
            asked = questions.ask(file, pipeline, settings, folder, "inbox", unsettled=self._unsettled)
            failed = asked.failure and files.Refusal(file=file, origin="inbox", failure=asked.failure)
            return [*asked.jobs, *([asked.collected] if asked.collected else []), failed or noted]
        if settings.asks_each_video or any(os.path.lexists(path) for path in questions.sidecars(file.path)):
            return [noted]
        name = names.shown(os.path.relpath(file.path, self._root))
        return [files.NewJob(file=file, origin="inbox", pipeline=pipeline, name=name, base=base)]

    def _place(self, path: bytes) -> tuple[str, str]:
        """Pipeline and result base of a path: the first folder names the pipeline, the rest is kept."""
        folders = os.path.relpath(path, self._root).split(b"/")
        if len(folders) == 1:
            pipeline = self._settings.inbox.default_pipeline
            if pipeline is None:
                raise MediaError(
                    Code.NO_PIPELINE, "the file lies at the top of the inbox, and there is no default pipeline"
                )
        else:
            pipeline = names.shown(folders.pop(0))
        if pipeline not in self._settings.pipelines:
            known = ", ".join(sorted(self._settings.pipelines))
            raise MediaError(Code.UNKNOWN_PIPELINE, f"there is no pipeline {pipeline!r}; there is {known}")
        return pipeline, f"{pipeline}/{names.result_base(b'/'.join(folders))}"

    def _identify(self, entry: Seen) -> FileIdentity:
        identity = identify(self._root, entry.path)
        limit = self._settings.inbox.max_bytes
        if identity.size > limit:
            raise MediaError(Code.TOO_LARGE, f"{identity.size} bytes; inbox.max_bytes is {limit}")
        return identity

    async def _pause(self) -> None:
        """Until the next look: soon while files settle, at a hint, or after the rescan period."""
        inbox = self._settings.inbox
        period = min(inbox.settle_seconds, inbox.rescan_seconds) if self._settling.paths() else inbox.rescan_seconds
        await asyncio.sleep(_SHORTEST_PAUSE)
        try:
            await asyncio.wait_for(self._watch.changed.wait(), max(0.0, period - _SHORTEST_PAUSE))
        except TimeoutError:
            return


def _with_jobs(entry: Seen, file: Found, jobs: Mapping[tuple[bytes, int], int]) -> Found:
    """The samples of a file of questions with the jobs that they have by now."""
    if not isinstance(file, files.Collected):
        return file
    mine = {number: job for (path, number), job in jobs.items() if path == entry.path}
    return msgspec.structs.replace(file, jobs=mine)
