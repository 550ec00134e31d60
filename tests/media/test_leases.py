"""Leases of one video after another: pictures that are there already are not decoded again."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import LIMITS, film, index_of, ref
from tests.samples import RECIPE
from vlmd.core.messages.worker import RunWindows
from vlmd.core.windows import FrameRule, WholePlan, plan_windows
from vlmd.media.client import Decoder
from vlmd.worker import remembered
from vlmd.worker.leases import LeaseDone, LeaseReader
from vlmd.worker.questions import Question


@pytest.fixture
def decoders(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every decoder that was started."""
    started: list[object] = []
    start = Decoder.start

    def counted(*arguments: object) -> Decoder:
        started.append(arguments)
        return start(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "start", counted)
    return started


def asked(path: Path, lease: int, frames: int) -> RunWindows:
    index = index_of(path)
    windows = plan_windows(index, WholePlan(rule=FrameRule(least=frames, most=frames)), 1)
    facts = index.facts
    return RunWindows(
        lease=lease, job=lease, file=ref(path), width=facts.width, height=facts.height, rotation=facts.rotation,
        windows=windows, recipe=RECIPE, limits=LIMITS,
    )  # fmt: skip


def questions(reader: LeaseReader, runs: list[RunWindows]) -> list[Question]:
    for run in runs:
        reader.put(run)
    items = [reader.get(30) for _ in range(2 * len(runs))]
    assert [isinstance(item, LeaseDone) for item in items] == [False, True] * len(runs)
    return [item for item in items if isinstance(item, Question)]


def test_five_questions_about_one_video_decode_it_once(tmp_path: Path, decoders: list[object]) -> None:
    path, other = film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4", count=40)
    runs = [asked(path, lease, 6) for lease in range(5)] + [asked(other, 5, 6), asked(path, 6, 6)]
    before = len(decoders)
    reader = LeaseReader(4, lambda recipe: 64, lambda lease: None)
    found = questions(reader, runs)
    reader.stop()
    assert len(decoders) - before == 3
    for one, same in itertools.pairwise([*found[:5], found[6]]):
        assert one.pts == same.pts
        assert all(np.array_equal(a, b) for a, b in zip(one.pictures, same.pictures, strict=True))


def test_more_pictures_than_are_remembered_are_decoded_again(
    tmp_path: Path, decoders: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MOST_BYTES", 5 * 64 * 48 * 3)
    path = film(tmp_path / "a.mp4")
    runs = [asked(path, lease, 6) for lease in range(2)]
    before = len(decoders)
    reader = LeaseReader(4, lambda recipe: 64, lambda lease: None)
    questions(reader, runs)
    reader.stop()
    assert len(decoders) - before == 2
