"""Answers held to a grammar: which tokens may come next, by llguidance.

What may follow depends on the answer so far and on nothing else, so a state is kept for every beginning that is being
followed, whichever row or beam it stands in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import llguidance.hf
import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer

Beginning = tuple[int, ...]
"""The first tokens of an answer."""


class UnusableGrammar(ValueError):
    """The grammar cannot be put to this tokenizer."""


class Grammars:
    """Compiles grammars for one model's tokenizer, each once."""

    def __init__(self, tokenizer: Any, ends: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._ends = sorted(ends)
        self._words: LLTokenizer | None = None
        self._compiled: dict[str, Any] = {}

    def guide(self, grammar: str | None) -> Guide | None:
        """A fresh guide for one batch; None where nothing is to be guided. Raises `UnusableGrammar`."""
        return None if grammar is None else Guide(self._matcher(grammar), self._ends)

    def _matcher(self, grammar: str) -> LLMatcher:
        if grammar not in self._compiled:
            if self._words is None:
                self._words = self._wrapped()
            matcher = LLMatcher(self._words, LLMatcher.grammar_from_lark(grammar), log_level=0)
            if matcher.is_error():
                raise UnusableGrammar(f"the grammar does not compile: {matcher.get_error()}"[:300])
            if not _bits(matcher).any():
                raise UnusableGrammar("no token of this tokenizer can begin an answer")
            self._compiled[grammar] = matcher
        return self._compiled[grammar].deep_copy()

    def _wrapped(self) -> LLTokenizer:
        """Its vocabulary as bytes; one to three seconds for 150,000 tokens."""
        if not self._ends:
            raise UnusableGrammar("the model has no token that ends an answer, so a guided one would never end")
        try:
            return llguidance.hf.from_tokenizer(self._tokenizer, eos_token=self._ends)
        except (ValueError, RuntimeError, TypeError) as error:
            raise UnusableGrammar(f"its tokenizer cannot be guided: {error}"[:300]) from error


class Guide:
    """Follows the answers of a batch."""

    def __init__(self, matcher: LLMatcher, ends: Sequence[int]) -> None:
        self._ends = set(ends)
        self._states: dict[Beginning, LLMatcher | None] = {(): matcher}
        """None for an answer that has ended: whatever fills up its row is free."""

    def follow(self, answers: Sequence[Beginning]) -> None:
        """The answers have grown by a token each; others than these are not followed any more."""
        uses = Counter(answer[:-1] for answer in set(answers) if answer not in self._states)
        grown: dict[Beginning, LLMatcher | None] = {}
        for answer in answers:
            if answer in self._states:
                grown[answer] = self._states[answer]
            elif answer not in grown:
                uses[answer[:-1]] -= 1
                grown[answer] = self._after(self._states.get(answer[:-1]), answer[-1], uses[answer[:-1]] > 0)
        self._states = grown

    def is_complete(self, answer: Beginning) -> bool:
        """Whether nothing but its end may follow. The answer has been followed."""
        state = self._states[answer]
        return state is not None and (state.is_stopped() or (state.is_accepting() and self._only_ends(state)))

    def mask(self, answers: Sequence[Beginning], width: int) -> torch.Tensor:
        """(rows, width) booleans: the tokens that may follow. The answers have been followed."""
        allowed = np.ones((len(answers), width), dtype=bool)
        for row, answer in enumerate(answers):
            state = self._states[answer]
            if state is not None:
                bits = _bits(state)[:width]
                allowed[row] = False
                allowed[row, : len(bits)] = bits
        return torch.from_numpy(allowed)

    def _after(self, state: LLMatcher | None, token: int, shared: bool) -> LLMatcher | None:
        if state is None or token in self._ends:
            return None
        state = state.deep_copy() if shared else state
        return state if state.try_consume_tokens([token]) == 1 else None

    def _only_ends(self, state: LLMatcher) -> bool:
        allowed = np.flatnonzero(_bits(state))
        return set(allowed.tolist()) <= self._ends


def _bits(state: LLMatcher) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(vocabulary) booleans: what may come next."""
    words = np.frombuffer(state.compute_bitmask(), dtype=np.uint8)
    return np.unpackbits(words, bitorder="little").astype(bool)
