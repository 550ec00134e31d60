"""What a model's words mean: clean text, names out of a given set, and the many ways of saying none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_BLANK = re.compile(r"[\t\n\v\f\r\x85]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NONE = re.compile(
    r"none|null|nil|nothing|na|n a"
    r"|(?:(?:there (?:is|are|were) )?no(?: \w+)? (?:event|action)s?"
    r"|none of (?:the|these|those)(?: above| listed| given)?(?: events?| labels?)?)"
    r"(?: (?:is|are|was|were))?"
    r"(?: (?:detected|found|seen|shown|visible|present|observed|identified))?"
    r"(?: in (?:the|these|this) (?:pictures?|images?|frames?|video|clip))?"
)
_UNKNOWN = frozenset(
    {
        "",
        "unknown",
        "unclear",
        "undetermined",
        "unspecified",
        "not specified",
        "not visible",
        "not applicable",
    }
)
_SIBILANT = ("ses", "xes", "zes", "ches", "shes")


def clean_text(text: str) -> tuple[str, bool]:
    """`text` as one trimmed line that is valid UTF-8, and whether characters had to be replaced.

    Tabs and line ends become spaces; other control characters and lone surrogates become U+FFFD. The halves
    of a surrogate pair are joined.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    line = _BLANK.sub(" ", text)
    cleaned = _CONTROL.sub("\ufffd", line)
    return cleaned.strip(), cleaned != line


def words_of(text: str) -> list[str]:
    """The words of `text` without case, punctuation and symbols."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(" " if unicodedata.category(char)[0] in "PSZC" else char for char in folded).split()


def says_none(value: object) -> bool:
    """Whether a value, or the whole of a text, says that there is nothing: null, None, "No events", "n/a"."""
    if value is None:
        return True
    return isinstance(value, str) and len(value) <= 200 and bool(_NONE.fullmatch(" ".join(words_of(value))))


def says_unknown(text: str) -> bool:
    """Whether a text names nobody: empty, "unknown", "none" and the like."""
    return says_none(text) or " ".join(words_of(text)) in _UNKNOWN


class NameTable:
    """Finds the name that was meant: case, spaces, punctuation, plurals and filler words do not count."""

    def __init__(self, names: Iterable[str], filler: frozenset[str]) -> None:
        self._filler = filler
        self._exact = {name: name for name in names}
        self._keys: dict[str, str | None] = {}
        for name in self._exact:
            key = self._key(name)
            self._keys[key] = None if key in self._keys else name

    def match(self, written: str) -> str | None:
        """The name, or None if there is none, or two that differ only in what makes no difference."""
        if written in self._exact:
            return written
        key = self._key(written)
        return self._keys.get(key) if key else None

    def _key(self, name: str) -> str:
        words = words_of(name)
        telling = [word for word in words if word not in self._filler] or words
        return "".join(map(_singular, telling))


@lru_cache(maxsize=64)
def name_table(names: tuple[str, ...], filler: frozenset[str] = frozenset()) -> NameTable:
    return NameTable(names, filler)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(_SIBILANT):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
