"""The answers of late, read as events: what a screen shows of them while results are not there yet.

Parsing happens here, in the program that watches, with the same functions as the merger's; a job's events so far
are what its result would list if it were merged now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from vlmd.core.answers import RawAnswer
from vlmd.core.merge import MergedEvent, WindowEvents, merge_events
from vlmd.core.tasks.events import EventsTask, parse_answer
from vlmd.core.tasks.registry import Task

_JOBS_KEPT = 50
"""Jobs whose events are remembered; the one heard of longest ago goes first."""


class AnswerPage(msgspec.Struct, frozen=True):
    """What the daemon hands out: answers, and by pipeline how they are read."""

    answers: list[RawAnswer]
    tasks: dict[str, Task]


class SeenEvent(msgspec.Struct, frozen=True):
    """An event of a video, merged from all windows that saw it so far."""

    order: int
    """Newer events have larger ones."""
    job: int
    video: str
    event: MergedEvent


class Seen:
    """Takes pages of answers, in any order and any of them twice."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Job] = {}

    def take(self, page: AnswerPage) -> None:
        for raw in page.answers:
            task = page.tasks.get(raw.pipeline)
            if raw.job is not None and isinstance(task, EventsTask):
                job = self._jobs.pop(raw.job, None) or _Job(raw.job, raw.name)
                self._jobs[raw.job] = job
                job.take(raw, task)
        for forgotten in list(self._jobs)[:-_JOBS_KEPT]:
            del self._jobs[forgotten]

    def counts(self) -> dict[int, int]:
        """Events so far of every job that is remembered."""
        return {number: len(job.events()) for number, job in self._jobs.items()}

    def newest(self, most: int) -> list[SeenEvent]:
        every = [event for job in self._jobs.values() for event in job.newest(most)]
        return sorted(every, key=lambda seen: -seen.order)[:most]

    def forget(self, jobs: Iterable[int]) -> None:
        for job in jobs:
            self._jobs.pop(job, None)


class _Job:
    def __init__(self, number: int, video: str) -> None:
        self._number = number
        self._video = video
        self._windows: dict[tuple[int, int], WindowEvents] = {}
        self._gap_ms = 0
        self._merged: list[MergedEvent] | None = []

    def take(self, raw: RawAnswer, task: EventsTask) -> None:
        """The answer's id stands for the window's number: it tells which event is the newest."""
        parsed = parse_answer(raw.text, raw.tokens, raw.finish, task)
        span = (raw.start_ms, raw.end_ms)
        if parsed.events or span in self._windows:
            self._windows[span] = WindowEvents(raw.id, *span, parsed.events)
            self._merged = None
        self._gap_ms = task.gap_ms

    def events(self) -> Sequence[MergedEvent]:
        if self._merged is None:
            self._merged = merge_events(self._windows.values(), self._gap_ms)
        return self._merged

    def newest(self, most: int) -> list[SeenEvent]:
        newest = sorted(self.events(), key=lambda event: -_first_seen(event))[:most]
        return [SeenEvent(_first_seen(event), self._number, self._video, event) for event in newest]


def _first_seen(event: MergedEvent) -> int:
    """The answer that brought it; a surer sighting later does not make it new again."""
    return min(event.index, *(other.index for other in event.evidence), event.index)


class Cursors:
    """Which jobs' answers are still to be read from their beginning, and how far each is.

    Most of the time the newest answers are enough: whatever is answered while one watches comes along there.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._after: dict[int, int] = {}
        self._complete: set[int] = set()

    def unread(self, running: Sequence[int]) -> Mapping[int, int]:
        """Jobs to be read further, each from after which answer. One that stopped running begins anew."""
        self._after = {job: self._after.get(job, 0) for job in running}
        self._complete &= set(running)
        return {job: after for job, after in self._after.items() if job not in self._complete}

    def read_job(self, job: int, page: AnswerPage, limit: int) -> None:
        if page.answers:
            self._after[job] = page.answers[-1].id
        if len(page.answers) < limit:
            self._complete.add(job)

    def read_newest(self, page: AnswerPage, limit: int) -> None:
        """A full page may have left some out: what was complete is so no more."""
        if page.answers:
            self.newest = page.answers[-1].id
        if len(page.answers) == limit:
            self._complete.clear()

    def complete(self, job: int) -> bool:
        return job in self._complete
