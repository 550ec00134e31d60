"""The choice task: which of the given choices answers the question?

The letter comes from what the model thought of every letter as the first token of its answer, never from looking for
letters in its words. An answer that was given without those counts only where it is a letter and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum

from vlmd.core.answers import OptionLogprobs, Token
from vlmd.core.tasks import grammars
from vlmd.core.tasks.base import BaseTask, Reading
from vlmd.core.tasks.prose import Prose

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_CHOICES = len(LETTERS)
_LIKELY = 0.01
"""Share of the first token's probability; with less on all letters together, the model did not mean to name one."""
_DIGITS = 4
_ONLY_A_LETTER = re.compile(r"[\s*_`\"'(\[]*([A-Za-z])[\s*_`\"')\].:]*")


class ChoiceProblem(StrEnum):
    """Stored, stable."""

    NO_LETTER = "no-letter"  # no log-probabilities, and the answer is no letter
    UNDECIDED = "undecided"  # the best two are equally probable
    UNLIKELY = "letters-unlikely"  # hardly any probability lies on the letters
    SAYS_OTHERWISE = "says-otherwise"  # the answer is another letter than the most probable one


class ChoiceReading(Reading, frozen=True, kw_only=True):
    letter: str | None
    probabilities: dict[str, float]
    """Of every letter, so that they sum to 1; empty where the model told none."""
    mass: float | None
    """The probability that the answer begins with any of the letters."""


class ChoiceTask(BaseTask, frozen=True, kw_only=True, tag="choice"):
    choices: list[str]
    """Two or more, without their letters."""

    def variables(self) -> dict[str, str]:
        listed = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False))
        return {"choices": listed, "letters": ", ".join(self.options())}

    def options(self) -> tuple[str, ...]:
        return tuple(LETTERS[: len(self.choices)])

    def grammar(self, max_new_tokens: int) -> str:
        """One of the letters."""
        return grammars.options(self.options())

    def read(self, text: str, tokens: list[Token], finish: str, option_logprobs: OptionLogprobs) -> ChoiceReading:
        """The most probable letter; without log-probabilities, the letter that is the whole answer."""
        said = Prose(text, tokens, finish)
        written = self._written(said.text)
        problems = said.problems
        probabilities, mass = self._probabilities(option_logprobs)
        letter = _best(probabilities) if probabilities else written
        if letter is None:
            problems.add(ChoiceProblem.UNDECIDED if probabilities else ChoiceProblem.NO_LETTER)
        elif written not in (None, letter):
            problems.add(ChoiceProblem.SAYS_OTHERWISE)
        if mass is not None and mass < _LIKELY:
            problems.add(ChoiceProblem.UNLIKELY)
        return ChoiceReading(
            outcome="answered" if letter else "unparseable",
            degenerate=said.degenerate,
            truncated=False,
            problems=sorted(problems),
            letter=letter,
            probabilities=probabilities,
            mass=mass,
        )

    def _written(self, text: str) -> str | None:
        only = _ONLY_A_LETTER.fullmatch(text)
        letter = only[1].upper() if only else None
        return letter if letter in self.options() else None

    def _probabilities(self, logprobs: OptionLogprobs) -> tuple[dict[str, float], float | None]:
        if not logprobs or len(logprobs) != len(self.choices) or any(math.isnan(one) for one in logprobs):
            return {}, None
        most = max(logprobs)
        if most == -math.inf:
            return {}, 0.0
        weights = [math.exp(one - most) for one in logprobs]
        total = math.fsum(weights)
        shares = {letter: round(one / total, _DIGITS) for letter, one in zip(self.options(), weights, strict=True)}
        return shares, round(min(1.0, total * math.exp(min(0.0, most))), _DIGITS)


def together(readings: Sequence[ChoiceReading]) -> ChoiceReading | None:
    """Several windows' readings of one question as one: probabilities are averaged, letters alone are one vote each."""
    answered = [reading for reading in readings if reading.letter or reading.probabilities]
    if len(answered) < 2:
        return answered[0] if answered else None
    votes = [reading.probabilities or {reading.letter or "": 1.0} for reading in answered]
    letters = sorted({letter for vote in votes for letter in vote})
    mean = {one: round(math.fsum(vote.get(one, 0.0) for vote in votes) / len(votes), _DIGITS) for one in letters}
    masses = [reading.mass for reading in answered if reading.mass is not None]
    letter = _best(mean)
    return ChoiceReading(
        outcome="answered" if letter else "unparseable",
        problems=sorted({problem for reading in answered for problem in reading.problems}),
        letter=letter,
        probabilities=mean,
        mass=round(math.fsum(masses) / len(masses), _DIGITS) if masses else None,
    )


def _best(probabilities: dict[str, float]) -> str | None:
    """The most probable letter; None where two are equally so."""
    ranked = sorted(probabilities, key=lambda letter: -probabilities[letter])
    if len(ranked) > 1 and probabilities[ranked[0]] == probabilities[ranked[1]]:
        return None
    return ranked[0]
