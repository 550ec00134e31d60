"""WordNet's own files, as far as METEOR asks: which words mean the same as a word.

nltk's reader wants files that the system's packages do not have, and refuses folders it does not know.
The format is that of wndb(5WN), the base forms those of morphy(7WN), as nltk looks them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "noun": (
        *(("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")),
        *(("men", "man"), ("ies", "y")),
    ),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}


@dataclass(frozen=True)
class Lemma:
    """One word of a set of words of one meaning."""

    word: str

    def name(self) -> str:
        return self.word


@dataclass(frozen=True)
class Synset:
    """Words of one meaning."""

    words: tuple[str, ...]

    def lemmas(self) -> list[Lemma]:
        return [Lemma(word) for word in self.words]


class WordNet:
    """The four parts of speech of one folder."""

    def __init__(self, folder: Path) -> None:
        self._parts = [_Part(folder, name, endings) for name, endings in _ENDINGS.items()]

    def synsets(self, word: str) -> list[Synset]:
        """All meanings of a word or of its base forms."""
        return [synset for part in self._parts for synset in part.synsets(word.lower())]


class _Part:
    """Nouns, verbs, adjectives or adverbs."""

    def __init__(self, folder: Path, name: str, endings: tuple[tuple[str, str], ...]) -> None:
        self._folder, self._name, self._endings = folder, name, endings

    def synsets(self, word: str) -> list[Synset]:
        return [self._synset(offset) for form in self._bases(word) for offset in self._index[form]]

    def _bases(self, word: str) -> list[str]:
        """The forms that are in the index: as morphy, exceptions first, else endings taken off until one is known."""
        if word in self._exceptions:
            return self._known([word, *self._exceptions[word]])
        forms = self._shorter([word])
        found = self._known([word, *forms])
        while forms and not found:
            forms = self._shorter(forms)
            found = self._known(forms)
        return found

    def _shorter(self, forms: list[str]) -> list[str]:
        return [form[: -len(old)] + new for form in forms for old, new in self._endings if form.endswith(old)]

    def _known(self, forms: list[str]) -> list[str]:
        return [form for form in dict.fromkeys(forms) if form in self._index]

    def _synset(self, offset: int) -> Synset:
        fields = self._data[offset : self._data.index(b"\n", offset)].decode().split()
        count = int(fields[3], 16)
        return Synset(tuple(word.split("(")[0] for word in fields[4 : 4 + 2 * count : 2]))

    @cached_property
    def _data(self) -> bytes:
        return (self._folder / f"data.{self._name}").read_bytes()

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        lines = (self._folder / f"index.{self._name}").read_text("utf-8").splitlines()
        return {fields[0]: _offsets(fields) for line in lines if line[:1] != " " and (fields := line.split())}

    @cached_property
    def _exceptions(self) -> dict[str, list[str]]:
        path = self._folder / f"{self._name}.exc"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return {fields[0]: fields[1:] for line in lines if (fields := line.split())}


def _offsets(fields: list[str]) -> list[int]:
    """The last ones of an index line, as many as it has synsets."""
    return [int(offset) for offset in fields[-int(fields[2]) :]]
