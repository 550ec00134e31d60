"""SubRip (.srt): one cue for each event or text. There is no place in it to say what produced it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmd.outputs.formats.cues import cues
from vlmd.outputs.formats.shown import Result

_ALIKE = str.maketrans({"<": "\u2039", ">": "\u203a"})
"""SubRip has no escapes, and players take <…> for markup: quotes that look alike are neither, nor part of an arrow."""


def write(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        yield from cues(result, ",", _harmless)


def _harmless(text: str) -> str:
    return text.translate(_ALIKE).replace("{\\", "{/")
