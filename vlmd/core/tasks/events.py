"""The events task: which of these labels does a window show, for which team, how surely?

An answer holds events, or says that there are none, or cannot be parsed; these three are never mixed up.
What the model wrote is data: strings come out as clean text of bounded length, values of the wrong kind
become None, and whatever was changed, unknown or left out leaves a problem code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

import msgspec

from vlmd.core.answers import Finish, OptionLogprobs, Token
from vlmd.core.tasks import grammars
from vlmd.core.tasks.base import BaseTask, Reading
from vlmd.core.tasks.confidence import AnswerTokens, stated_share, value_span
from vlmd.core.tasks.exact import Container
from vlmd.core.tasks.fields import CONFIDENCE_KEYS, DETAILS_KEYS, LABEL_KEYS, TEAM_KEYS, Fields, is_wrapper
from vlmd.core.tasks.replies import Cut, Found, Reply, ReplyProblem, read_reply
from vlmd.core.tasks.words import NameTable, clean_text, name_table, says_none, says_unknown, words_of

MAX_NAME = 100
"""Characters kept of a label or a team."""
MAX_DETAILS = 1000
"""Characters kept of details."""
MAX_OBJECTS = 256
"""Objects read of one answer."""
_MAX_NESTING = 8
_REACH = 1 << 14
"""Characters from one label within which the next one is looked for."""

_TOKENS_PER_EVENT = 64
"""What a constrained event takes at the most, in the tokenizers of large models."""
_DETAILS = 120
"""Characters of details in a constrained event."""

_TEAM_FILLER = frozenset({"the", "team", "side", "squad"})


class EventsTask(BaseTask, frozen=True, kw_only=True, tag="events"):
    """What was asked, and within how many milliseconds equal events of different windows are one."""

    labels: list[str]
    teams: list[str]
    gap_ms: int = 3000

    def variables(self) -> dict[str, str]:
        return {"labels": ", ".join(self.labels), "teams": " or ".join(self.teams)}

    def grammar(self, max_new_tokens: int) -> str:
        """The word None, or as many events as surely fit."""
        return grammars.events(self.labels, self.teams, max(1, max_new_tokens // _TOKENS_PER_EVENT), _DETAILS)

    def read(self, text: str, tokens: list[Token], finish: str, option_logprobs: OptionLogprobs) -> ParsedAnswer:
        return parse_answer(text, tokens, finish, self)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one window."""

    label: str
    """As in the task where it is known, else as written."""
    team: str | None = None
    confidence: float | None = None
    """0 to 1, from token probabilities; see `AnswerTokens.confidence`."""
    stated_confidence: float | None = None
    """0 to 1, what the model wrote."""
    details: str = ""
    label_known: bool = True
    team_known: bool = True
    """False only for a team that was written and is not one of the task's."""


class ParsedAnswer(Reading, frozen=True, kw_only=True):
    """An answer as events. `problems` holds the words of `ReplyProblem` and `EventProblem`; one that ends within an
    object is truncated, too."""

    events: list[Event]


class EventProblem(StrEnum):
    """What reading objects as events could not do cleanly; stored, stable."""

    NO_OBJECT = "no-object"  # nothing like an object, and not a none either
    NO_LABEL = "no-label"  # an object without a readable label: no event
    NOT_AN_OBJECT = "not-an-object"  # a list holds something else than objects
    TOO_MANY_OBJECTS = "too-many-objects"  # more than MAX_OBJECTS; the rest is left out
    TOO_DEEP = "too-deep"  # objects nested deeper than events can be
    NONE_BESIDE_EVENTS = "none-beside-events"  # one object says none, another is an event
    CUT_FIELD = "cut-field"  # the last field was cut off and left out
    EXTRA_FIELDS = "extra-fields"  # fields nobody asked for
    REPEATED_EVENT = "repeated-event"  # the same event twice; counted once
    UNKNOWN_LABEL = "unknown-label"
    UNKNOWN_TEAM = "unknown-team"
    BAD_TEAM = "bad-team"  # not text
    BAD_CONFIDENCE = "bad-confidence"  # not a number from 0 to 1
    BAD_DETAILS = "bad-details"  # not text; kept as JSON
    CAPPED_LABEL = "capped-label"
    CAPPED_TEAM = "capped-team"
    CAPPED_DETAILS = "capped-details"
    CONTROL_CHARACTERS = "control-characters"  # replaced


_UNREAD = frozenset(
    {
        ReplyProblem.UNREAD_TEXT,
        ReplyProblem.KEYS_LOST,
        ReplyProblem.UNFINISHED_REASONING,
        ReplyProblem.TOO_LONG,
        EventProblem.NO_LABEL,
        EventProblem.NOT_AN_OBJECT,
        EventProblem.TOO_DEEP,
        EventProblem.TOO_MANY_OBJECTS,
    }
)
"""With these, part of the answer is not understood, so that it cannot be taken for a none."""
_MORE_THAN_EMPTY = frozenset({ReplyProblem.TEXT_OUTSIDE, EventProblem.EXTRA_FIELDS})
"""With these, an empty object or list is not the whole answer."""


def parse_answer(text: str, tokens: list[Token], finish: str, task: EventsTask) -> ParsedAnswer:
    """The events in `text`; `tokens` may be empty, `finish` is a `Finish`. Never raises."""
    reply = read_reply(text)
    reader = _EventReader(text, AnswerTokens(text, tokens, reply.start), task)
    for found in reply.found:
        reader.read(found)
    outcome = _outcome(reply, reader)
    if outcome == "unparseable" and not reader.problems and (reply.cut or not reply.found):
        reader.problems.add(EventProblem.NO_OBJECT)
    if reader.events and reader.nones:
        reader.problems.add(EventProblem.NONE_BESIDE_EVENTS)
    return ParsedAnswer(
        outcome=outcome,
        events=list(reader.events.values()),
        repaired=reply.repaired,
        degenerate=reply.degenerate or finish == Finish.LOOP,
        truncated=finish != Finish.STOP or reply.cut,
        problems=sorted({*reply.problems, *map(str, reader.problems)}),
    )


def _outcome(reply: Reply, reader: _EventReader) -> Literal["events", "none", "unparseable"]:
    """None only where an object, or the whole answer, says none and nothing went unread."""
    problems = {*reply.problems, *reader.problems}
    if reader.events:
        return "events"
    if _UNREAD.isdisjoint(problems):
        if reader.nones or _all_lines_say_none(reply.plain):
            return "none"
        if reply.found and not reply.cut and _MORE_THAN_EMPTY.isdisjoint(problems):
            return "none"
    return "unparseable"


def _all_lines_say_none(text: str) -> bool:
    lines = [line for line in text.splitlines() if words_of(line)]
    return bool(lines) and all(map(says_none, lines))


class _EventReader:
    """Reads the objects of one answer as events; gathers events, nones and problems."""

    def __init__(self, text: str, tokens: AnswerTokens, task: EventsTask) -> None:
        self.events: dict[tuple[object, ...], Event] = {}
        self.nones = 0
        self.problems: set[EventProblem] = set()
        self._text = text
        self._tokens = tokens
        self._labels = name_table(tuple(task.labels))
        self._teams = name_table(tuple(task.teams), _TEAM_FILLER)
        self._objects_read = 0
        self._position = 0

    def read(self, found: Found) -> None:
        self._position = found.start
        for written, cut in self._objects(found.value, found.cut == Cut.INSIDE, 0):
            self._objects_read += 1
            if self._objects_read > MAX_OBJECTS:
                self.problems.add(EventProblem.TOO_MANY_OBJECTS)
                return
            self._read_object(written, cut, found.end)

    def _objects(self, value: Container, cut: bool, depth: int) -> Iterator[tuple[dict[str, object], bool]]:
        """Every object that may be an event, and whether its last field was cut off; wrappers are opened."""
        if depth > _MAX_NESTING:
            self.problems.add(EventProblem.TOO_DEEP)
        elif isinstance(value, dict) and not is_wrapper(value):
            yield value, cut
        else:
            items = list(value.values()) if isinstance(value, dict) else value
            for at, item in enumerate(items, 1):
                if isinstance(item, dict | list):
                    yield from self._objects(item, cut and at == len(items), depth + 1)
                elif isinstance(value, dict):
                    self.problems.add(EventProblem.EXTRA_FIELDS)
                elif not says_none(item):
                    self.problems.add(EventProblem.NOT_AN_OBJECT)

    def _read_object(self, written: dict[str, object], cut: bool, end: int) -> None:
        fields = Fields(written)
        if len(fields.left) < len(written):
            self.problems.add(EventProblem.EXTRA_FIELDS)
        if cut and fields.drop_cut():
            self.problems.add(EventProblem.CUT_FIELD)
        key, label = fields.take(LABEL_KEYS)
        if fields.only_says_none() if key is None else says_none(label):
            self.nones += 1
        elif key is None or isinstance(label, bool | dict | list) or not clean_text(str(label))[0]:
            self.problems.add(EventProblem.NO_LABEL)
        else:
            self._keep(self._event(key, str(label), fields, end))
            if fields.left:
                self.problems.add(EventProblem.EXTRA_FIELDS)

    def _event(self, key: str, label: str, fields: Fields, end: int) -> Event:
        confidence = self._confidence(key, label, end)
        name, known = self._name(label, self._labels, EventProblem.UNKNOWN_LABEL, EventProblem.CAPPED_LABEL)
        team, team_known = self._team(fields.take(TEAM_KEYS)[1])
        return Event(
            label=name,
            team=team,
            confidence=confidence,
            stated_confidence=self._stated(fields.take(CONFIDENCE_KEYS)[1]),
            details=self._details(fields.take(DETAILS_KEYS)[1]),
            label_known=known,
            team_known=team_known,
        )

    def _keep(self, event: Event) -> None:
        key = (event.label, event.team, event.stated_confidence, event.details)
        if key in self.events:
            self.problems.add(EventProblem.REPEATED_EVENT)
        self.events.setdefault(key, event)

    def _confidence(self, key: str, label: str, end: int) -> float | None:
        if not self._tokens:
            return None
        span = value_span(self._text, self._position, min(end, self._position + _REACH), key, label)
        if span is None:
            return None
        self._position = span[1] + 1
        return self._tokens.confidence(*span)

    def _team(self, value: object) -> tuple[str | None, bool]:
        if value is None:
            return None, True
        if not isinstance(value, str):
            self.problems.add(EventProblem.BAD_TEAM)
            return None, True
        if self._teams.match(value) is None and says_unknown(value):
            return None, True
        return self._name(value, self._teams, EventProblem.UNKNOWN_TEAM, EventProblem.CAPPED_TEAM)

    def _name(self, written: str, table: NameTable, unknown: EventProblem, capped: EventProblem) -> tuple[str, bool]:
        text = self._clean(written, MAX_NAME, capped)
        name = table.match(text)
        if name is None:
            self.problems.add(unknown)
        return name or text, name is not None

    def _stated(self, value: object) -> float | None:
        share = stated_share(value)
        if value is not None and share is None:
            self.problems.add(EventProblem.BAD_CONFIDENCE)
        return share

    def _details(self, value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            self.problems.add(EventProblem.BAD_DETAILS)
            value = _as_json(value)
        return self._clean(value, MAX_DETAILS, EventProblem.CAPPED_DETAILS)

    def _clean(self, text: str, limit: int, capped: EventProblem) -> str:
        cleaned, replaced = clean_text(text)
        if replaced:
            self.problems.add(EventProblem.CONTROL_CHARACTERS)
        if len(cleaned) > limit:
            self.problems.add(capped)
        return cleaned[:limit].rstrip()


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return ""
