"""The answers of late, read as events or texts: what a screen shows of them while results are not there yet.

Parsing happens here, in the program that watches, with the same functions as the merger's; a job's events so far
are what its result would list if it were merged now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from vlmd.core.answers import RawAnswer
from vlmd.core.merge import MergedEvent, WindowEvents, merge_events
from vlmd.core.names import shown
from vlmd.core.tasks.base import Reading
from vlmd.core.tasks.choice import ChoiceReading
from vlmd.core.tasks.events import EventsTask, parse_answer
from vlmd.core.tasks.feedback import FeedbackReading
from vlmd.core.tasks.registry import Task
from vlmd.core.tasks.text import TextReading

_JOBS_KEPT = 50
"""Jobs whose events are remembered; the one heard of longest ago goes first."""


class AnswerPage(msgspec.Struct, frozen=True):
    """What the daemon hands out: answers, and by pipeline how they are read."""

    answers: list[RawAnswer]
    tasks: dict[str, Task]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a video, merged from all windows that saw it so far; or what else was said of a window."""

    order: int
    """Newer ones have larger ones."""
    job: int
    video: str
    start_ms: int
    what: str
    """The label of an event, the letter of a choice, a name, or the text itself."""
    team: str | None = None
    confidence: float | None = None
    details: str = ""
    known: bool = True
    """The label is one that was asked for."""
    team_known: bool = True


class Seen:
    """Takes pages of answers, in any order and any of them twice."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Events | _Texts] = {}

    def take(self, page: AnswerPage) -> None:
        for raw in page.answers:
            task = page.tasks.get(raw.pipeline)
            if raw.job is not None and task is not None:
                job = self._jobs.pop(raw.job, None) or _new(raw.job, raw.name, task)
                self._jobs[raw.job] = job
                job.take(raw, task)
        for forgotten in list(self._jobs)[:-_JOBS_KEPT]:
            del self._jobs[forgotten]

    def counts(self) -> dict[int, int]:
        """What was found so far by every job that is remembered."""
        return {number: job.count() for number, job in self._jobs.items()}

    def newest(self, most: int) -> list[Sighting]:
        every = [one for job in self._jobs.values() for one in job.newest(most)]
        return sorted(every, key=lambda one: -one.order)[:most]

    def forget(self, jobs: Iterable[int]) -> None:
        for job in jobs:
            self._jobs.pop(job, None)


def _new(number: int, video: str, task: Task) -> _Events | _Texts:
    return (_Events if isinstance(task, EventsTask) else _Texts)(number, video)


class _Events:
    def __init__(self, number: int, video: str) -> None:
        self._number = number
        self._video = video
        self._windows: dict[tuple[int, int], WindowEvents] = {}
        self._gap_ms = 0
        self._merged: list[MergedEvent] | None = []

    def take(self, raw: RawAnswer, task: Task) -> None:
        """The answer's id stands for the window's number: it tells which event is the newest."""
        if not isinstance(task, EventsTask):
            return  # the pipeline has another task by now
        parsed = parse_answer(raw.text, raw.tokens, raw.finish, task)
        span = (raw.start_ms, raw.end_ms)
        if parsed.events or span in self._windows:
            self._windows[span] = WindowEvents(raw.id, *span, parsed.events)
            self._merged = None
        self._gap_ms = task.gap_ms

    def count(self) -> int:
        return len(self._events())

    def newest(self, most: int) -> list[Sighting]:
        newest = sorted(self._events(), key=lambda event: -_first_seen(event))[:most]
        return [self._sighting(event) for event in newest]

    def _events(self) -> Sequence[MergedEvent]:
        if self._merged is None:
            self._merged = merge_events(self._windows.values(), self._gap_ms)
        return self._merged

    def _sighting(self, event: MergedEvent) -> Sighting:
        return Sighting(
            order=_first_seen(event),
            job=self._number,
            video=self._video,
            start_ms=event.start_ms,
            what=event.label,
            team=event.team,
            confidence=event.confidence,
            details=event.details,
            known=event.label_known,
            team_known=event.team_known,
        )


def _first_seen(event: MergedEvent) -> int:
    """The answer that brought it; a surer sighting later does not make it new again."""
    return min(event.index, *(other.index for other in event.evidence), event.index)


class _Texts:
    """Captions, texts, feedback and choices: one of each window."""

    def __init__(self, number: int, video: str) -> None:
        self._number = number
        self._video = video
        self._windows: dict[tuple[int, int], Sighting] = {}

    def take(self, raw: RawAnswer, task: Task) -> None:
        what, confidence, details = _said(task.read(raw.text, raw.tokens, raw.finish, raw.option_logprobs), raw.text)
        one = Sighting(
            order=raw.id,
            job=self._number,
            video=self._video,
            start_ms=raw.start_ms,
            what=what,
            confidence=confidence,
            details=details,
        )
        self._windows[raw.start_ms, raw.end_ms] = one

    def count(self) -> int:
        return sum(bool(one.what) for one in self._windows.values())

    def newest(self, most: int) -> list[Sighting]:
        said = [one for one in self._windows.values() if one.what]
        return sorted(said, key=lambda one: -one.order)[:most]


def _said(reading: Reading, text: str) -> tuple[str, float | None, str]:
    """In a few words, how sure the model was, and all of it."""
    match reading:
        case ChoiceReading(letter=str(letter), probabilities=shares):
            return letter, shares.get(letter), ""
        case FeedbackReading(name=str(name), text=told, confidence=confidence):
            return name, confidence, _on_a_line(told)
        case FeedbackReading(text=told, confidence=confidence) | TextReading(text=told, confidence=confidence):
            return _on_a_line(told), confidence, _on_a_line(told)
        case _:
            return _on_a_line(text), None, ""


def _on_a_line(text: str) -> str:
    return shown(" ".join(text.split()))


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
