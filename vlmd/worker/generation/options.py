"""What a model chooses between at the first token of its answer, such as the letters of a question's choices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

_BLANKS = ("\u2581", "\u0120", " ")
"""How tokenizers write a blank at the front of a token."""
_BYTE = re.compile(r"<0x([0-7][0-9A-F])>")
"""A token for a letter that the vocabulary does not hold."""


class UnusableOptions(ValueError):
    """This tokenizer cannot tell the options apart by their first token."""


class Options:
    """Finds the tokens that stand for an option at the beginning of an answer, for one model's tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def tokens(self, options: Sequence[str]) -> list[list[int]]:
        """For each option, the tokens that are it, with or without a blank before it.

        An option that no single token spells has the first token of its spelling. Raises `UnusableOptions` where two
        options share a token.
        """
        found = [self._spellings.get(option) or self._first(option) for option in options]
        every = [token for tokens in found for token in tokens]
        if len(set(every)) < len(every) or not all(found):
            raise UnusableOptions(f"the options {', '.join(options)} cannot be told apart by their first token")
        return found

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        """Token ids by what they spell."""
        spelled: dict[str, list[int]] = {}
        special = set(self._tokenizer.all_special_ids)
        for piece, token in self._tokenizer.get_vocab().items():
            if token not in special:
                spelled.setdefault(_spelling(piece), []).append(token)
        return {text: sorted(tokens) for text, tokens in spelled.items()}

    def _first(self, option: str) -> list[int]:
        ids = self._tokenizer(option, add_special_tokens=False)["input_ids"]
        return list(ids[:1])


def _spelling(piece: str) -> str:
    """What a token adds to an answer that begins with it."""
    if byte := _BYTE.fullmatch(piece):
        return chr(int(byte[1], 16))
    return piece[1:] if piece.startswith(_BLANKS) else piece


def option_logprobs(logprobs: torch.Tensor, options: Sequence[Sequence[int]]) -> list[list[float]]:
    """(rows, options): of (rows, vocabulary) log-probabilities, how likely an answer begins with each option.

    The probabilities of an option's spellings add up.
    """
    if not options:
        return [[] for _ in range(len(logprobs))]
    columns = [torch.logsumexp(logprobs[:, list(tokens)].double(), dim=1) for tokens in options]
    values: list[list[float]] = torch.stack(columns, dim=1).tolist()
    return values
