"""WebVTT (.vtt): one cue for each event or text; a note says what produced it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vlmd.core.names import shown
from vlmd.outputs.formats.cues import cues
from vlmd.outputs.formats.shown import Result

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Those of the standard; without a > there is no --> either."""


def write(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        yield "WEBVTT\n\nNOTE\n"
        for name, told in {"video": result.video.name, **result.origin()}.items():
            yield f"{name}: {_harmless(shown(told))}\n"
        yield "\n"
        yield from cues(result, ".", _harmless)


def _harmless(text: str) -> str:
    return text.translate(_ENTITIES)
