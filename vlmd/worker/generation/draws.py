"""The numbers that one window's tokens are drawn with."""

from __future__ import annotations

import hashlib
from random import Random

from vlmd.worker.questions import Question


def draws(question: Question) -> Random:
    """The same numbers for the same question, in any batch, in any order, on any device, after any restart.

    They follow from the recipe, which holds the seed, the window's span and its pixels. Python promises that a seeded
    `Random` gives the same numbers in every version; torch promises that of no generator.
    """
    window = question.window
    words = (question.run.recipe.digest(), question.frame_digest(), str(window.start_ms), str(window.end_ms))
    return Random(int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest(), "big"))
