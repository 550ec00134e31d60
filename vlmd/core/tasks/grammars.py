"""What answers may look like, as Lark grammars of llguidance."""

from __future__ import annotations

from collections.abc import Sequence


def events(labels: Sequence[str], teams: Sequence[str], max_events: int, max_details: int) -> str:
    raise NotImplementedError


def feedback(max_name: int, max_chars: int) -> str:
    raise NotImplementedError


def options(letters: Sequence[str]) -> str:
    raise NotImplementedError


def text(max_chars: int) -> str:
    raise NotImplementedError
