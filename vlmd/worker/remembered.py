"""The pictures of the last lease, where they are few: several questions about one video are answered one after another,
and its pictures need not be decoded for each."""

from __future__ import annotations

from collections.abc import Sequence

from vlmd.core.video import FileRef
from vlmd.worker.questions import Picture

MOST_BYTES = 64 << 20
Key = tuple[FileRef, int, int]
"""(file as it was, width, height)."""


class Remembered:
    """Keeps the pictures of one file in one size."""

    def __init__(self) -> None:
        self._key: Key | None = None
        self._pictures: dict[int, Picture] = {}

    def all_of(self, key: Key, wanted: Sequence[int]) -> dict[int, Picture] | None:
        """The pictures at these ticks; None unless all of them are here."""
        if key != self._key or not self._pictures.keys() >= set(wanted):
            return None
        return {pts: self._pictures[pts] for pts in wanted}

    def worth(self, key: Key, count: int) -> bool:
        """Whether so many pictures are few enough to be kept; what is kept of another file is forgotten."""
        if key != self._key:
            self._key, self._pictures = key, {}
        _, width, height = key
        return (len(self._pictures) + count) * width * height * 3 <= MOST_BYTES

    def keep(self, pts: int, picture: Picture) -> None:
        """A copy: what the decoder delivers lies in memory of its own."""
        self._pictures[pts] = picture.copy()
