"""What a device has done since the daemon started. Pure: times are passed in, in seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from vlmd.core.answers import Timings
from vlmd.supervisor.fleet.rate import Rate


@dataclass
class Tally:
    answered: int = 0
    tokens: int = 0
    window_rate: Rate = field(default_factory=Rate)
    token_rate: Rate = field(default_factory=Rate)
    deaths: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    """The same deaths by what ended the worker."""
    swaps: int = 0
    """How often another model than before was ready."""
    swap_seconds: float = 0.0
    """What they took: from the end of the one model's work until the other was ready, failed starts included."""
    timings: Timings | None = None
    """Of the newest answer."""
    load_seconds: dict[str, float] = field(default_factory=dict)
    """How long each model took to load, the last time."""
    _resident: str | None = None
    _left_at: float | None = None

    def window(self, tokens: int, now: float) -> None:
        """A window was answered."""
        self.answered += 1
        self.tokens += tokens
        self.window_rate.count(1, now)
        self.token_rate.count(tokens, now)

    def died(self, cause: str) -> None:
        self.deaths += 1
        self.causes[cause] += 1

    def changes(self, now: float) -> None:
        """Another model is to be loaded from now on."""
        if self._left_at is None:
            self._left_at = now

    def ready(self, model: str, load_seconds: float, now: float) -> float | None:
        """A model is loaded; what it took if that was a swap."""
        self.load_seconds[model] = load_seconds
        before, begun = self._resident, self._left_at
        self._resident, self._left_at = model, None
        if before is None or before == model:
            return None
        seconds = now - begun if begun is not None else load_seconds
        self.swaps += 1
        self.swap_seconds += seconds
        return seconds
