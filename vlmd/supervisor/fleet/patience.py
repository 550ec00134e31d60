"""After how much silence a worker counts as hung. Pure: times are passed in, in seconds.

The limits of the configuration are for a GPU at full speed. One that is slowed down by heat, or by its
neighbours, is slow and not hung: who was lately silent for long, and came back, is given five times that.
"""

from __future__ import annotations

from collections import deque

_REMEMBERED = 256
_ENOUGH = 20
"""Silences before they say anything: a first batch that compiles its kernels is no measure."""
_RARE = 0.99
_TIMES = 5


class Patience:
    """The limits, and how long a worker lately was silent between two signs of progress."""

    def __init__(self, load: float, progress: float) -> None:
        self.limit(load, progress)
        self._silences: deque[float] = deque(maxlen=_REMEMBERED)

    def limit(self, load: float, progress: float) -> None:
        """These limits count from now on."""
        self._load = load
        self._progress = progress

    def heard(self, silence: float) -> None:
        """A worker at work showed progress after so long."""
        self._silences.append(silence)

    @property
    def load(self) -> float:
        return self._load

    @property
    def progress(self) -> float:
        """limits.progress_seconds, or five times the silence that 99 of 100 are shorter than."""
        if len(self._silences) < _ENOUGH:
            return self._progress
        ordered = sorted(self._silences)
        return max(self._progress, _TIMES * ordered[int(_RARE * (len(ordered) - 1))])
