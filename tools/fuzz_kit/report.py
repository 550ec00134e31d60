"""How mutants ended, as lines of text."""

from __future__ import annotations

from collections import Counter

from .campaign import Outcome

_SLOWEST = 5


def lines(outcome: Outcome) -> list[str]:
    ends = Counter((ending.state, ending.code or "") for ending in outcome.endings.values())
    slowest = sorted(outcome.seconds.items(), key=lambda item: -item[1])[:_SLOWEST]
    return [
        f"{len(outcome.endings)} mutants",
        *(f"  {count:5}  {state} {code}" for (state, code), count in ends.most_common()),
        *(f"  {count:5}  windows failed: {code}" for code, count in sorted(outcome.windows_failed.items())),
        "slowest to index:",
        *(f"  {seconds:6.1f} s  {name}" for name, seconds in slowest),
        f"{len(outcome.crashes)} ended a decoder by a signal",
        *(f"  {name}: {reason}" for name, reason in sorted(outcome.crashes.items())),
        *(f"BROKEN: {sentence}" for sentence in outcome.broken),
        "everything held" if not outcome.broken else f"{len(outcome.broken)} promises broken",
    ]
