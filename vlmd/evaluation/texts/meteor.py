"""METEOR by nltk (Lavie and Agarwal, 2007), with or without WordNet's synonyms: the title says which.

The two are not comparable. nltk looks for WordNet only once a word needs it; here it is decided before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlmd.evaluation.texts.words import words

Score = Callable[[str, str], float]
WITHOUT = "METEOR without synonyms"


class _NoSynonyms:
    """Stands in for WordNet: no word means the same as another."""

    def synsets(self, word: str) -> list[Any]:
        return []


def meteor(wordnet: Path | None) -> tuple[str, Score]:
    """The variant's name, and the score of a text beside the right one; `wordnet` is a folder of it."""
    from nltk.translate.meteor_score import single_meteor_score

    from vlmd.evaluation.texts.wordnet import WordNet

    synonyms = _NoSynonyms() if wordnet is None else WordNet(wordnet)

    def score(text: str, truth: str) -> float:
        return float(single_meteor_score(words(truth), words(text), wordnet=synonyms))

    return (f"METEOR, {_version(wordnet)}" if wordnet else WITHOUT), score


def find_wordnet(given: str | None) -> Path | None:
    """A folder with WordNet's files: the given one, else where nltk or the system keeps it."""
    from nltk import data

    places = (
        [Path(given)] if given else [*(Path(p) / "corpora" / "wordnet" for p in data.path), Path("/usr/share/wordnet")]
    )
    return next((place for place in places if (place / "data.noun").is_file()), None)


def _version(folder: Path) -> str:
    with (folder / "data.noun").open("rb") as file:
        found = re.search(rb"WordNet \d\.\d", file.read(2048))
    return found[0].decode() if found else "WordNet"
