"""Killed at any of its side effects, or cut off from power: what the tools do all through, here at a few places."""

from __future__ import annotations

from pathlib import Path

from tests.process.conftest import Film
from tools.chaos_kit import powercut
from tools.chaos_kit.stage import Stage
from tools.chaos_kit.sweep import Sweep

PLACES = 3
CUTS = 40


def test_killed_at_a_side_effect_the_next_start_brings_all_to_an_end(
    tmp_path: Path, undisturbed: Stage, films: dict[str, Film], shim: Path
) -> None:
    sweep = Sweep(tmp_path, films["one"].path, undisturbed, shim)
    count = len(sweep.side_effects())
    for place in range(PLACES):
        assert sweep.killed_at(1 + place * (count - 1) // PLACES) == []


def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path: Path, films: dict[str, Film], shim: Path) -> None:
    recording = powercut.record(tmp_path / "recorded", shim, [films["one"].path], kills=[60])
    found = powercut.cut(recording, CUTS, 1, tmp_path / "after")
    assert found.lost == []
    assert found.cuts == CUTS and found.acknowledged > CUTS
