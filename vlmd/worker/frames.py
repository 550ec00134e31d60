"""Features of frames: computed once for each, shared by every window of a lease that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vlmd.core.figures import FrameSize
from vlmd.core.plans import frames_at_once
from vlmd.worker.models.base import Family, Frame
from vlmd.worker.questions import Picture, Question

Key = tuple[int, int, int]
"""(lease, pts of the frame, most tokens of its size): two sizes can take the same number of most frames."""


class FrameCache:
    """Keeps a frame's features until no window that is still to come can show it."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._kept: dict[Key, Frame] = {}
        self.encoded = 0
        """Frames that went through the vision tower so far."""

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, questions: Sequence[Question], size: FrameSize, on_chunk: Callable[[], None]) -> list[list[Frame]]:
        """The frames of every question; `on_chunk` is called whenever some more are encoded."""
        for question in questions:
            self._encode_missing(question, size, on_chunk)
        frames = [[self._kept[key] for key in _keys(question, size)] for question in questions]
        self._forget_before(questions)
        return frames

    def forget(self, lease: int) -> None:
        """The lease has ended."""
        self._kept = {key: frame for key, frame in self._kept.items() if key[0] != lease}

    def clear(self) -> None:
        """Keep nothing: whatever is shown again is encoded again."""
        self._kept = {}

    def _encode_missing(self, question: Question, size: FrameSize, on_chunk: Callable[[], None]) -> None:
        pairs = zip(_keys(question, size), question.pictures, strict=True)
        missing: list[tuple[Key, Picture]] = [(key, picture) for key, picture in pairs if key not in self._kept]
        together = frames_at_once(size)
        for at in range(0, len(missing), together):
            chunk = missing[at : at + together]
            encoded = self._family.encode([picture for _, picture in chunk], size)
            self._kept.update(zip((key for key, _ in chunk), encoded, strict=True))
            self.encoded += len(chunk)
            on_chunk()

    def _forget_before(self, questions: Sequence[Question]) -> None:
        """Windows of a lease come in order: what lies before the first of these is not shown again."""
        first: dict[int, int] = {}
        for question in questions:
            first[question.run.lease] = min(question.pts[0], first.get(question.run.lease, question.pts[0]))
        self._kept = {key: frame for key, frame in self._kept.items() if key[1] >= first.get(key[0], key[1])}


def _keys(question: Question, size: FrameSize) -> list[Key]:
    return [(question.run.lease, pts, size.most) for pts in question.pts]
