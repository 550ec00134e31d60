"""A hundred damaged videos through one daemon; `tools/fuzz.py` does thousands. And that mutants can be made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_kit import campaign, report
from fuzz_kit.mutants import CHANGES, Random, mutant
from hypothesis import given
from hypothesis import strategies as st

from tests.media.films import film

COUNT = 100
CONTENT = st.binary(max_size=300)


@pytest.mark.timeout(600)
def test_a_hundred_mutants_end_in_one_of_the_ways_there_are(tmp_path: Path) -> None:
    originals = {
        path.name: path.read_bytes()
        for path in (
            film(tmp_path / "a.mp4", codec="libx264", options={"bf": "2"}),
            film(tmp_path / "b.mkv", codec="libx264"),
            film(tmp_path / "c.avi"),
            film(tmp_path / "d.ts", codec="mpeg2video"),
        )
    }
    outcome = campaign.run(tmp_path / "daemon", originals, 1, COUNT, COUNT, keep=None)
    assert outcome.broken == [], "\n".join(report.lines(outcome))
    assert len(outcome.endings) == COUNT
    assert {ending.state for ending in outcome.endings.values()} >= {"done", "failed"}


@given(st.integers(), st.integers(0, 10_000), st.dictionaries(st.sampled_from(["a.mp4", "b.mkv"]), CONTENT, min_size=1))
def test_the_same_numbers_make_the_same_mutant(seed: int, number: int, originals: dict[str, bytes]) -> None:
    one = mutant(seed, number, originals)
    assert one == mutant(seed, number, originals)
    assert one.name.isascii() and one.name.endswith(one.original[-4:])


@pytest.mark.parametrize("change", CHANGES)
@given(seed=st.integers(), content=CONTENT, other=CONTENT)
def test_any_change_takes_any_bytes(change, seed: int, content: bytes, other: bytes) -> None:
    changed = change(Random(seed), content, [content, other])
    assert isinstance(changed, bytes) and len(changed) <= len(content) + len(other) + 4096


def test_changes_change_something() -> None:
    for change in CHANGES:
        content = bytes(range(256)) * 64
        assert any(change(Random(seed), content, [content, b"other"]) != content for seed in range(5)), change
