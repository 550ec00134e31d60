"""What somebody should know before trusting a result, in sentences: nobody has to count empty lists."""

from __future__ import annotations

import re

import msgspec


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How a job's windows ended, and how its answers read."""

    windows: int
    failed: int
    answered: int
    """Windows with an answer."""
    none: int
    unparseable: int
    degenerate: int
    truncated: bool
    """The end of the video is missing."""
    nothing_to_ask: bool = False
    """The pipeline whose findings were to be looked at found nothing."""
    unanswered: str | None = None
    """Why the question of a choice has no answer."""


_REMEDIES = {
    "failed": "`vlmd show {job}` says why; `vlmd retry {job}` asks them again",
    "end of the video": "copy it again",
    "be read": "the result lists them with their text; `vlmd try` shows what another prompt does",
    "answered none": "if that is wrong, `vlmd try` shows what the model says",
    "showed anything": "if that is wrong, `vlmd try` shows what the model says",
    "loop": "`vlmd try` shows what another prompt or a repetition penalty does",
    "has no answer": "`vlmd try` shows what the model says",
}
"""What helps, by words of the sentence; stored sentences need no code beside them."""


def doubts(tally: Tally) -> list[str]:
    """The worst first; empty for a result that is what it looks like."""
    found: list[str] = []
    if tally.failed:
        found.append(f"{_of(tally.failed, tally.windows, 'window')} failed")
    if tally.nothing_to_ask:
        found.append("nothing had been found to look at, so nothing was asked")
    if tally.truncated:
        found.append("the end of the video is missing")
    found += _unread(tally)
    if tally.answered and tally.none == tally.answered:
        found.append(f"{_of(tally.none, tally.answered, 'window')} answered none")
    elif tally.none and tally.none + tally.unparseable == tally.answered:
        found.append(f"not one of {tally.answered} windows showed anything that can be made out")
    if tally.degenerate:
        found.append(f"{_of(tally.degenerate, tally.answered, 'answer')} got stuck in a loop")
    if tally.unanswered is not None:
        found.append(f"the question has no answer: {tally.unanswered}")
    return found


def remedy(doubt: str, job: int) -> str:
    """What helps against one of the sentences above."""
    return next((helps.format(job=job) for words, helps in _REMEDIES.items() if words in doubt), "")


def kind(doubt: str) -> str:
    """The same for doubts that differ in their numbers only."""
    return re.sub(r"[0-9]+", "N", doubt)


def _unread(tally: Tally) -> list[str]:
    bad, answered = tally.unparseable, tally.answered
    if not bad or tally.unanswered is not None:
        return []
    if bad == answered:
        return ["the only answer cannot be read" if bad == 1 else f"not one of {answered} answers can be read"]
    more = "more than half of all answers, " if 2 * bad > answered else ""
    return [f"{more}{bad} of {answered}, cannot be read" if more else f"{bad} of {answered} answers cannot be read"]


def _of(part: int, whole: int, word: str) -> str:
    """How many of how many, in words where it is all of them."""
    if part < whole:
        return f"{part} of {whole} {word}s"
    return f"the only {word}" if whole == 1 else f"every one of {whole} {word}s"
