"""Draws training batches: pictures or windows, balanced over events, look-alikes and junk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from demo_training.footage import EVENT_CLASSES, FPS, KINDS, NOTHING, Footage, sightings
from demo_training.texts import Sighting
from vlmd.demo.game import Kind, other

WINDOW = 3 * FPS
"""Pictures in a full window."""
SHORTEST = 1
JUNK_KIND = len(KINDS)
_LOOK_ALIKES = (Kind.SAVE, Kind.MISS, Kind.FREE_KICK, Kind.REFEREE, Kind.SCOREBOARD)
"""Scenes most easily taken for events."""
_FLIPPED = np.array(
    [EVENT_CLASSES.index((label, other(team) if label == "Goal" else team)) for label, team in EVENT_CLASSES]
    + [NOTHING]
)
"""The class of each class's mirror image: only a goal changes sides."""


@dataclass(frozen=True)
class Truth:
    """What `n` pictures show."""

    classes: torch.Tensor
    """int64, (n,)."""
    kinds: torch.Tensor
    """int64, (n,): index into `KINDS`, or `JUNK_KIND`."""
    balls: torch.Tensor
    """float32, (n, 2), 0 to 1; not a number where there is no ball."""


@dataclass(frozen=True)
class WindowBatch:
    pixels: torch.Tensor
    """float32, (all pictures of all windows, 3, 64, 64), -1 to 1."""
    truth: Truth
    lengths: list[int]
    """Pictures in each window."""
    answers: list[list[Sighting]]


class Sampler:
    """Draws from footage and junk; everything random comes from one generator."""

    def __init__(self, footage: Footage, junk: np.ndarray, junk_share: float, rng: np.random.Generator) -> None:
        self.footage, self.junk, self.junk_share, self.rng = footage, junk, junk_share, rng
        self.by_class = [np.flatnonzero(footage.classes == number) for number in range(NOTHING + 1)]
        alike = np.isin(footage.kinds, [KINDS.index(kind) for kind in _LOOK_ALIKES])
        self.look_alikes = np.flatnonzero((footage.classes == NOTHING) & alike)

    def pictures(self, count: int) -> tuple[torch.Tensor, Truth]:
        """`count` unrelated pictures, float32 (count, 3, 64, 64), and what they show."""
        junk = int(count * self.junk_share)
        at = np.array([self._any_picture() for _ in range(count - junk)])
        flips = self.rng.random(count - junk) < 0.5
        truth = self._truth(at, flips, junk)
        pool = self.junk.reshape(-1, *self.junk.shape[2:])
        pixels = np.concatenate([self.footage.pictures[at], pool[self.rng.integers(len(pool), size=junk)]])
        groups = np.arange(count)
        return self._varied(pixels, np.concatenate([flips, np.zeros(junk, bool)]), groups), truth

    def windows(self, count: int) -> WindowBatch:
        """`count` windows of up to 15 pictures each."""
        junk = int(self.rng.binomial(count, self.junk_share))
        spans = [self._any_window() for _ in range(count - junk)]
        at = np.concatenate([np.arange(start, start + length) for start, length in spans])
        lengths = [length for _, length in spans] + [self._length() for _ in range(junk)]
        window_flips = self.rng.random(count) < 0.5
        groups = np.repeat(np.arange(count), lengths)
        flips = window_flips[groups]
        torn = [self.junk[self.rng.integers(len(self.junk)), :length] for length in lengths[count - junk :]]
        pixels = np.concatenate([self.footage.pictures[at], *torn])
        truth = self._truth(at, flips[: len(at)], len(pixels) - len(at))
        answers = [self._answer(span, flip) for span, flip in zip(spans, window_flips, strict=False)]
        return WindowBatch(self._varied(pixels, flips, groups), truth, lengths, answers + [[] for _ in range(junk)])

    def _answer(self, span: tuple[int, int], flipped: bool) -> list[Sighting]:
        classes = self.footage.classes[span[0] : sum(span)]
        return sightings(_FLIPPED[classes] if flipped else classes) or []

    def _any_picture(self) -> int:
        """One of every event as often as another; look-alikes more often than plain play."""
        choice = self.rng.random()
        pool = self.by_class[NOTHING]
        if choice < 0.5:
            pool = self.by_class[self.rng.integers(NOTHING)]
        elif choice < 0.8:
            pool = self.look_alikes
        return int(pool[self.rng.integers(len(pool))])

    def _length(self) -> int:
        return WINDOW if self.rng.random() < 0.7 else int(self.rng.integers(SHORTEST, WINDOW))

    def _any_window(self) -> tuple[int, int]:
        """Start and length of a window within one film whose answer is clear."""
        films = self.footage.films
        while True:
            length = self._length()
            start = self._any_picture() - int(self.rng.integers(length))
            end = start + length
            if start < 0 or end > len(films) or films[start] != films[end - 1]:
                continue
            if sightings(self.footage.classes[start:end]) is not None:
                return start, length

    def _truth(self, at: np.ndarray, flips: np.ndarray, junk: int) -> Truth:
        """Truth of the pictures `at`, mirrored where `flips`, followed by `junk` pictures of nothing."""
        classes = np.where(flips, _FLIPPED[self.footage.classes[at]], self.footage.classes[at])
        balls = self.footage.balls[at].copy()
        balls[flips, 0] = 1 - balls[flips, 0]
        return Truth(
            torch.from_numpy(np.concatenate([classes, np.full(junk, NOTHING)])),
            torch.from_numpy(np.concatenate([self.footage.kinds[at], np.full(junk, JUNK_KIND)])),
            torch.from_numpy(np.concatenate([balls, np.full((junk, 2), np.nan, np.float32)])),
        )

    def _varied(self, pixels: np.ndarray, flips: np.ndarray, groups: np.ndarray) -> torch.Tensor:
        """uint8 (n, 64, 64, 3) to float32 (n, 3, 64, 64) from -1 to 1; pictures of one group change alike.

        Mirrored where `flips`, moved by up to 2 pixels, other exposure, contrast and colours, noise.
        The balls' truth ignores the move: it is smaller than the ball.
        """
        values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        values = torch.where(torch.from_numpy(flips)[:, None, None, None], values.flip(3), values)
        number = int(groups.max()) + 1
        each = torch.from_numpy(groups)
        gain = torch.from_numpy(self.rng.uniform(0.75, 1.25, (number, 1, 1, 1)).astype(np.float32))
        tint = torch.from_numpy(self.rng.uniform(0.92, 1.08, (number, 3, 1, 1)).astype(np.float32))
        lift = torch.from_numpy(self.rng.uniform(-0.2, 0.2, (number, 1, 1, 1)).astype(np.float32))
        values = values * (gain * tint)[each] + lift[each]
        noise = torch.from_numpy(self.rng.uniform(0, 0.08, (number, 1, 1, 1)).astype(np.float32))
        values += torch.from_numpy(self.rng.standard_normal(values.shape, dtype=np.float32)) * noise[each]
        return _moved(values.clamp_(-1, 1), self.rng.integers(-2, 3, (number, 2))[groups])


def _moved(values: torch.Tensor, moves: np.ndarray) -> torch.Tensor:
    """Each picture shifted by its move in pixels (down, right), its edge repeated."""
    padded = torch.nn.functional.pad(values, (2, 2, 2, 2), mode="replicate")
    side = values.shape[-1]
    return torch.stack(
        [
            one[:, 2 - dy : 2 - dy + side, 2 - dx : 2 - dx + side]
            for one, (dy, dx) in zip(padded, moves.tolist(), strict=True)
        ]
    )
