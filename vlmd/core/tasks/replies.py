"""Turns whatever text a model wrote into JSON-like objects, from the exact to the guessed; never raises.

The ladder: hide reasoning and code fences; read the whole as JSON, then as a Python literal; else find every
outermost {..} and [..] and read each by itself; close what the token limit cut off; at last let json_repair
guess. A guess is flagged `repaired`, and what could not be read leaves a problem code: nothing is lost in
silence. Hidden parts become spaces, so every offset is one into the answer as written, in characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import StrEnum

import json_repair
import msgspec

from vlmd.core.tasks.exact import NOT_READABLE, Container, Split, exact, nodes
from vlmd.core.tasks.loops import is_degenerate
from vlmd.core.tasks.spans import Scan, scan, shut

MAX_CHARS = 1 << 18
"""Longer answers are read up to here."""
_MAX_SPANS = 500
_MAX_REPAIR = 8_000
_MAX_REPAIRS = 16
_MAX_DEPTH = 64
_MAX_REGIONS = 3


class ReplyProblem(StrEnum):
    """What reading an answer as objects could not do cleanly; stored, stable."""

    TEXT_OUTSIDE = "text-outside"  # words stand outside every object
    UNREAD_TEXT = "unread-text"  # brackets nothing could be read from
    REPEATED_KEYS = "repeated-keys"  # one object repeats its keys; read as several
    KEYS_LOST = "keys-lost"  # json_repair gave fewer keys than are written
    REASONING = "reasoning"  # text up to </think> was left out
    UNFINISHED_REASONING = "unfinished-reasoning"  # <think> was never closed
    TOO_LONG = "too-long"  # longer than MAX_CHARS


class Cut(StrEnum):
    """Whether the text ended within an object."""

    NO = "no"
    AFTER = "after"  # after a whole value
    INSIDE = "inside"  # inside its last key or value, which may be incomplete


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object or list that stands at text[start:end]."""

    value: Container
    start: int
    end: int
    cut: Cut = Cut.NO


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found in one answer, in the order of the text."""

    found: list[Found]
    plain: str
    """The answer without reasoning and fences."""
    start: int
    """Where the answer begins, behind the reasoning."""
    repaired: bool
    degenerate: bool
    cut: bool
    problems: list[str]


def answer_of(text: str) -> tuple[str, set[ReplyProblem]]:
    """`text` with reasoning and fences turned into spaces, so that offsets stay, and what had to be left out."""
    start, stop = _answer_bounds(text[:MAX_CHARS])
    problems = set()
    if start > 0:
        problems.add(ReplyProblem.REASONING)
    if len(text) > MAX_CHARS:
        problems.add(ReplyProblem.TOO_LONG)
    if stop < min(len(text), MAX_CHARS):
        problems.add(ReplyProblem.UNFINISHED_REASONING)
    return " " * start + _FENCE.sub(lambda match: " " * len(match[0]), text[start:stop]), problems


def read_reply(text: str) -> Reply:
    """Every object and list in `text`."""
    start, _ = _answer_bounds(text[:MAX_CHARS])
    visible, problems = answer_of(text)
    reader = _Reader(visible.rstrip())
    reader.read()
    reader.problems |= problems
    return Reply(
        found=reader.found,
        plain=visible.strip(),
        start=start,
        repaired=reader.repaired,
        degenerate=is_degenerate(text),
        cut=any(found.cut != Cut.NO for found in reader.found),
        problems=sorted(str(problem) for problem in reader.problems),
    )


# --- reasoning and fences -----------------------------------------------------------------------------------

_FENCE = re.compile(
    r"^[ \t]*```(?:(?:json[5cl]?|jsonlines|python|py|javascript|js|text|txt|plaintext)\b)?|```[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


_OPENS = re.compile(r"\s*<think>")
_CLOSES = re.compile(r"</think>(?=[\s{\[`]|\Z)")


def _answer_bounds(text: str) -> tuple[int, int]:
    """Where the answer begins and ends: behind the reasoning at its front; nowhere if that is never closed.

    Some models leave the opening tag out. An answer that begins with its object or fence has no reasoning, and
    tags further on are part of a string.
    """
    if text.lstrip().startswith(("{", "[", "```")):
        return 0, len(text)
    start = 0
    while opened := _OPENS.match(text, start):
        closed = text.find("</think>", opened.end())
        if closed < 0:
            return start, start
        start = closed + len("</think>")
    lone = _CLOSES.search(text) if start == 0 else None
    return lone.end() if lone else start, len(text)


# --- the ladder --------------------------------------------------------------------------------------------

_KEY = re.compile(r"""["']\w+["']\s*:""")
_BRACE = re.compile(r"\{")
_BRACKET = re.compile(r"[{\[]")


def _json_repair(source: str) -> Container | None:
    """json_repair's guess, if it is an object or a list with something in it."""
    try:
        value = json_repair.loads(source, skip_json_loads=True)
    except (*NOT_READABLE, LookupError, AttributeError, ArithmeticError, AssertionError):
        return None
    return value if value and isinstance(value, dict | list) else None


def _count_keys(value: Container) -> int:
    return sum(len(node) for node in nodes(value) if isinstance(node, dict))


class _Reader:
    """Reads one answer; gathers what was found and what was odd."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Found] = []
        self.problems: set[ReplyProblem] = set()
        self.repaired = False
        self.spans_left = _MAX_SPANS
        self.repairs_left = _MAX_REPAIRS

    def read(self) -> None:
        start, end = len(self.text) - len(self.text.lstrip()), len(self.text)
        whole = exact(self.text[start:end]) if self.text[start : start + 1] in ("{", "[") else None
        if whole is not None:
            self._add(whole, start, end)
        else:
            self._region(start, end)
        self.found.sort(key=lambda found: found.start)
        if any(isinstance(node, Split) for found in self.found for node in nodes(found.value)):
            self.problems.add(ReplyProblem.REPEATED_KEYS)
        if self.found and self._words_outside():
            self.problems.add(ReplyProblem.TEXT_OUTSIDE)

    def _region(self, start: int, end: int, depth: int = 0) -> None:
        """Reads the outermost spans between `start` and `end`, then what was left open."""
        if depth > _MAX_REGIONS:
            self.problems.add(ReplyProblem.UNREAD_TEXT)
            return
        brackets = scan(self.text, start, end)
        tail = self._tail(brackets, end) if end == len(self.text) else end
        for begin, stop in brackets.closed:
            if begin < tail:
                self._span(begin, stop, depth)
        if tail == end:
            self._fragments(brackets, end, depth)

    def _span(self, start: int, end: int, depth: int) -> None:
        """A closed span: exact, else, for a list, each of its parts by itself, else repaired."""
        self.spans_left -= 1
        if self.spans_left < 0:
            self.problems.add(ReplyProblem.UNREAD_TEXT)
            return
        source = self.text[start:end]
        value = exact(source)
        if value is not None:
            self._add(value, start, end)
        elif source[0] == "[" and "{" in source:
            self._region(start + 1, end - 1, depth + 1)
        else:
            self._repair(start, end)

    def _tail(self, brackets: Scan, end: int) -> int:
        """Reads what the token limit cut off by closing it; where that begins, or `end` if nothing was."""
        if len(brackets.opened) > _MAX_DEPTH:
            return end
        for at, start in enumerate(brackets.opened[:8]):
            closers = [self.text[position] for position in brackets.opened[at:]]
            for source in shut(self.text[start:end], closers, brackets.quote):
                value = exact(source)
                if value is not None:
                    self.repaired = True
                    self._add(value, start, end, self._cut(brackets))
                    return start
        return end

    def _fragments(self, brackets: Scan, end: int, depth: int) -> None:
        """Repairs each piece from a brace that was never closed to the next bracket; looks anew behind a lone [."""
        bounds = sorted([*brackets.opened, *(begin for begin, _ in brackets.closed), end])
        for start in brackets.opened:
            stop = bounds[bisect_right(bounds, start)]
            if self.text[start] == "{":
                self._repair(start, stop, self._cut(brackets) if stop == len(self.text) else Cut.NO)
            elif (brace := self.text.find("{", start, stop)) >= 0:
                self._region(brace, stop, depth + 1)

    def _cut(self, brackets: Scan) -> Cut:
        return Cut.INSIDE if brackets.quote or self.text[-1] not in ",}]\"'" else Cut.AFTER

    def _repair(self, start: int, end: int, cut: Cut = Cut.NO) -> None:
        """One guess for all of the span; where that loses keys, one for each piece from brace to brace."""
        braces = [match.start() for match in _BRACE.finditer(self.text, start, end)]
        if self._guess(start, end, cut, settle=len(braces) < 2):
            return
        for begin, stop in zip(braces, [*braces[1:], end], strict=True):
            self._guess(begin, stop, cut if stop == end else Cut.NO, settle=True)

    def _guess(self, start: int, end: int, cut: Cut, settle: bool) -> bool:
        """Keeps what json_repair makes of a span; False if it loses keys and need not `settle` for that."""
        source = self.text[start:end]
        value = _json_repair(source) if self._affordable(source) else None
        lost = value is None or len(_KEY.findall(source)) > _count_keys(value)
        if lost and not settle:
            return False
        if value is None:
            self.problems.add(ReplyProblem.UNREAD_TEXT)
            return True
        if lost:
            self.problems.add(ReplyProblem.KEYS_LOST)
        self.repaired = True
        self._add(value, start, end, cut)
        return True

    def _affordable(self, source: str) -> bool:
        """Whether json_repair may try: it is slow on long texts and on many brackets."""
        if ":" not in source or len(source) > _MAX_REPAIR or len(_BRACKET.findall(source)) > _MAX_DEPTH:
            return False
        self.repairs_left -= 1
        return self.repairs_left >= 0

    def _add(self, value: Container, start: int, end: int, cut: Cut = Cut.NO) -> None:
        self.found.append(Found(value=value, start=start, end=end, cut=cut))

    def _words_outside(self) -> bool:
        position, gaps = 0, []
        for found in self.found:
            gaps.append(self.text[position : found.start])
            position = max(position, found.end)
        return any(any(map(str.isalnum, gap)) for gap in [*gaps, self.text[position:]])
