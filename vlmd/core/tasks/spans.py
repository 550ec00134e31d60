"""Where the outermost {..} and [..] of a text lie, and how to close one that was cut off; in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_MARK = re.compile(r"[{}\[\]\"']")
_QUOTE = {'"': re.compile(r'\\.|"', re.DOTALL), "'": re.compile(r"\\.|'", re.DOTALL)}
_ENDS_STRING = re.compile(r"\s*(?:[,:}\]){]|\Z)")
_OPENER = {"}": "{", "]": "["}
_CLOSER = {"{": "}", "[": "]"}


class Scan(msgspec.Struct):
    """Outermost closed spans, brackets left open, and the quote of a string left open."""

    closed: list[tuple[int, int]]
    opened: list[int]
    quote: str = ""


def scan(text: str, start: int, end: int) -> Scan:
    """Brackets of text[start:end], strings skipped, in linear time."""
    scan, position = Scan([], []), start
    endless: set[str] = set()
    while mark := _MARK.search(text, position, end):
        at, char = mark.start(), mark[0]
        position = at + 1
        if char in _QUOTE:
            if scan.opened and _begins_string(text, at):
                position, scan.quote = _skip_string(text, at, end, endless)
        elif char in _CLOSER:
            scan.opened.append(at)
        elif scan.opened and text[scan.opened[-1]] == _OPENER[char]:
            _close(scan, position)
    return scan


def _close(scan: Scan, end: int) -> None:
    begin = scan.opened.pop()
    while scan.closed and scan.closed[-1][0] > begin:
        scan.closed.pop()
    scan.closed.append((begin, end))


def _begins_string(text: str, at: int) -> bool:
    """A quote begins a string only where a value or key may stand; elsewhere it is an apostrophe."""
    at -= 1
    while text[at].isspace():
        at -= 1
    return text[at] in "{[,:("


def _skip_string(text: str, at: int, end: int, endless: set[str]) -> tuple[int, str]:
    """Where the string that begins at `at` ends, and its quote if it never does.

    It ends at a quote followed by punctuation, so that stray quotes in it do no harm; one that never ends is
    taken to end with its line. `endless` remembers quotes with no such end left, which keeps the time linear.
    """
    quote = text[at]
    if quote not in endless:
        for match in _QUOTE[quote].finditer(text, at + 1, end):
            if match[0] == quote and _ENDS_STRING.match(text, match.end(), end):
                return match.end(), ""
        endless.add(quote)
    newline = text.find("\n", at, end)
    return (newline, "") if newline >= 0 else (end, quote)


_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")


def shut(text: str, brackets: list[str], quote: str) -> Iterator[str]:
    """Ways to complete `text`, which was cut off in a string (if `quote`) within these open brackets.

    First as it is, then with null for a key that lacks its value.
    """
    closers = "".join(_CLOSER[bracket] for bracket in reversed(brackets))
    whole = _HALF_ESCAPE.sub(r"\1", text) if quote else text.rstrip().removesuffix(",").removesuffix(":")
    yield whole + quote + closers
    yield whole + quote + ": null" + closers
