"""Which windows share a batch: those of one recipe, of like length, the oldest among them."""

from __future__ import annotations

import queue

import numpy as np
import pytest
from msgspec.structs import replace

from tests.samples import RECIPE
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.core.messages.worker import RunWindows
from vlmd.core.recipe import Generation
from vlmd.core.video import FileIdentity, FileRef
from vlmd.core.windows import Window
from vlmd.worker.batching import Batch, Batches
from vlmd.worker.leases import Item, LeaseDone
from vlmd.worker.questions import Question


class Reader:
    """Has everything at once, and then nothing more."""

    def __init__(self, *items: Item) -> None:
        self.items = list(items)
        self.cancelled: set[int] = set()

    def get(self, timeout: float | None = None) -> Item:
        if self.items:
            return self.items.pop(0)
        assert timeout is not None, "waits for ever with a window in hand"
        raise queue.Empty

    def is_cancelled(self, lease: int) -> bool:
        return lease in self.cancelled


def question(
    window: int, lease: int = 1, pictures: int = 3, frame_tokens: int | None = None, **generation: float
) -> Question:
    shown = Window(window, 0, 1000, list(range(pictures)), None)
    run = RunWindows(
        lease=lease,
        job=1,
        file=FileRef(b"/", b"/v", FileIdentity(0, 0, 0)),
        width=8,
        height=8,
        rotation=0,
        windows=[shown],
        recipe=replace(RECIPE, frame_tokens=frame_tokens, generation=Generation(**generation)),
        limits=DecodeLimits(),
    )
    return Question(run, shown, shown.pts, [np.zeros((8, 8, 3), np.uint8)] * pictures, "?", 0)


def taken(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [one.window.index for one in batch.questions]


def test_windows_of_two_leases_share_a_batch_in_their_order() -> None:
    batches = Batches(Reader(question(0), question(1), LeaseDone(1), question(2, lease=2), question(3, lease=2)), 3)
    first, second = batches.next(), batches.next()
    assert (taken(first), taken(second)) == ([0, 1, 2], [3])
    assert first is not None and first.done == [LeaseDone(1)]


def test_only_windows_of_one_recipe_share_a_batch() -> None:
    """Generated in one way, their frames of one size."""
    ways = [{}, {"temperature": 0.7}, {}, {"temperature": 0.7}, {"max_new_tokens": 9}, {"frame_tokens": 64}, {}]
    batches = Batches(Reader(*(question(at, **way) for at, way in enumerate(ways))), 4)
    assert [taken(batches.next()) for _ in range(4)] == [[0, 2, 6], [1, 3], [4], [5]]


def test_a_lease_has_ended_only_when_its_last_window_was_given_out() -> None:
    batches = Batches(Reader(question(0, lease=1), question(0, lease=2, seed=1), LeaseDone(2), LeaseDone(1)), 4)
    first, second = batches.next(), batches.next()
    assert first is not None and second is not None
    assert (first.done, second.done) == ([LeaseDone(1)], [LeaseDone(2)])


def test_windows_of_like_length_lie_together_and_the_oldest_never_waits() -> None:
    lengths = [15, 2, 15, 2, 14, 2]
    batches = Batches(Reader(*(question(at, pictures=length) for at, length in enumerate(lengths))), 3)
    assert [taken(batches.next()) for _ in range(2)] == [[0, 2, 4], [1, 3, 5]]


def test_every_beam_takes_the_place_of_a_window() -> None:
    batches = Batches(Reader(*(question(at, beams=3) for at in range(5))), 8)
    assert [taken(batches.next()) for _ in range(3)] == [[0, 1], [2, 3], [4]]
    assert taken(Batches(Reader(question(0, beams=30)), 8).next()) == [0]


@pytest.mark.parametrize("waits", [False, True])
def test_the_windows_of_a_cancelled_lease_are_dropped_also_while_they_wait(waits: bool) -> None:
    reader = Reader(question(0), question(1, lease=2, seed=1), question(2, seed=1))
    batches = Batches(reader, 4)
    if not waits:
        reader.cancelled.add(2)
    assert taken(batches.next()) == [0]
    reader.cancelled.add(2)
    assert taken(batches.next()) == [2]
