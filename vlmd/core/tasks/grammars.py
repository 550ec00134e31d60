"""What answers may look like, as grammars in llguidance's dialect of Lark.

Everything is bounded: numbers, texts, how many objects there are. A model held to a grammar without bounds may write
digits until its tokens run out. A blank may stand before everything, because many tokenizers have no other way to begin
a word. Whatever a grammar allows, the task reads without repair; a test holds them to that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

_CONTROL = r"\x00-\x1f\x7f-\x9f"
_NUMBER = r"CONFIDENCE: /0(\.[0-9]{1,2})?|1(\.0{1,2})?/"
_BLANKS = r"BLANKS: /( |\n {0,4})?/"
_WORD = rf"WORD: /[^\s{_CONTROL}:*_#\"'`–—\-][^\s{_CONTROL}:]{{0,23}}/"
_WORDS_OF_A_NAME = 6
_NEW_LINE, _COMMA = "\n", '"," BLANKS'


def events(labels: Sequence[str], teams: Sequence[str], max_events: int, max_details: int) -> str:
    """The word None; or one object for each of at most `max_events` events, on lines of their own or in a list.

    Objects are written as JSON or as Python has them, with the keys label, team (where there are teams), confidence
    (from 0 to 1, two decimals at the most) and details (`max_details` characters at the most), in this order.
    """
    rules = [f'start: " "? ("None" | {" | ".join(f"{style}_lines | {style}_list" for style in _STYLES)})']
    for style, (quote, nothing) in _STYLES.items():
        event = f"{style}_event"
        rules += [
            f"{style}_lines: {_several(event, _literal(_NEW_LINE), max_events)}",
            f'{style}_list: "[" BLANKS {_several(event, _COMMA, max_events)} BLANKS "]"',
            f'{style}_event: "{{" BLANKS {_fields(style, quote, bool(teams))} BLANKS "}}"',
            f"{style}_label: {_one_of(_quoted(label, quote) for label in labels)}",
            f"{style.upper()}_DETAILS: /{quote}[^{_CONTROL}{quote}\\\\]{{0,{max_details}}}{quote}/",
        ]
        if teams:
            rules.append(f"{style}_team: {_one_of([*(_quoted(team, quote) for team in teams), nothing])}")
    return _grammar(*rules, _NUMBER, _BLANKS)


def feedback(max_name: int, max_chars: int) -> str:
    """A name of some words, " - ", and one line of at most `max_chars` characters."""
    words = max(1, min(_WORDS_OF_A_NAME, max_name // 25))
    text = rf"TEXT: /[^\s{_CONTROL}][^{_CONTROL}]{{0,{max_chars - 1}}}/"
    name = _several("WORD", _literal(" "), words)
    return _grammar(f'start: " "? {name} " - " TEXT', _WORD, text)


def options(letters: Sequence[str]) -> str:
    """One of the letters."""
    return _grammar(f'start: " "? ({_one_of(letters)})')


def text(max_chars: int) -> str:
    """At most `max_chars` characters on any number of lines, of which the first shows something."""
    return _grammar('start: " "? TEXT', rf"TEXT: /[^\s{_CONTROL}]([^{_CONTROL}]|\n){{0,{max_chars - 1}}}/")


_STYLES = {"json": ('"', "null"), "python": ("'", "None")}
"""The quotes of strings, and how nothing is written."""


def _fields(style: str, quote: str, teams: bool) -> str:
    values = {"label": f"{style}_label"}
    if teams:
        values["team"] = f"{style}_team"
    values |= {"confidence": "CONFIDENCE", "details": f"{style.upper()}_DETAILS"}
    between = ' "," BLANKS '
    return between.join(f'{_literal(f"{quote}{key}{quote}:")} " "? {value}' for key, value in values.items())


def _several(what: str, between: str, most: int) -> str:
    return what if most == 1 else f"{what} ({between} {what}){{0,{most - 1}}}"


def _quoted(text: str, quote: str) -> str:
    """`text` as a string of JSON or Python."""
    if quote == '"':
        return json.dumps(text, ensure_ascii=False)
    return "'" + json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def _one_of(texts: Iterable[str]) -> str:
    return " | ".join(map(_literal, texts))


def _literal(text: str) -> str:
    """A text that stands for itself in a grammar."""
    return json.dumps(text, ensure_ascii=False)


def _grammar(*rules: str) -> str:
    return "\n".join(rules) + "\n"
