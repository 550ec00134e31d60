"""A hundred damaged videos, some through a daemon and all others through decoders; `tools/fuzz.py` does thousands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fuzz_kit import campaign, report
from fuzz_kit.mutants import CHANGES, Random, mutant
from hypothesis import given
from hypothesis import strategies as st

from tests.media.films import film, index_of
from vlmd.core.errors import Code, MediaError

DAEMON, DECODERS = range(40), range(40, 100)
"""Numbers of the mutants."""
REASONS = {Code.EMPTY, Code.NOT_VIDEO, Code.TRUNCATED, Code.NO_VIDEO_STREAM, Code.UNDECODABLE, Code.BAD_DIMENSIONS}
CONTENT = st.binary(max_size=300)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    made = [
        film(folder / "a.mp4", codec="libx264", options={"bf": "2"}),
        film(folder / "b.mkv", codec="libx264"),
        film(folder / "c.avi"),
        film(folder / "d.ts", codec="mpeg2video"),
    ]
    return {path.name: path.read_bytes() for path in made}


@pytest.mark.timeout(600)
def test_mutants_in_the_inbox_end_in_one_of_the_ways_there_are(originals: dict[str, bytes], tmp_path: Path) -> None:
    outcome = campaign.run(tmp_path, originals, 1, len(DAEMON), len(DAEMON), keep=None)
    assert outcome.broken == [], "\n".join(report.lines(outcome))
    assert len(outcome.endings) == len(DAEMON)
    assert {ending.state for ending in outcome.endings.values()} >= {"done", "failed"}


@pytest.mark.timeout(600)
def test_decoders_of_mutants_find_pictures_or_a_reason(originals: dict[str, bytes], tmp_path: Path) -> None:
    def look(number: int) -> str | None:
        one = mutant(1, number, originals)
        (tmp_path / one.name).write_bytes(one.data)
        try:
            return None if index_of(tmp_path / one.name).pts else f"{one.name}: nothing"
        except MediaError as error:
            return None if error.failure.code in REASONS else f"{one.name}: {error}"

    with ThreadPoolExecutor(2) as threads:  # they outlive their decoders
        assert [said for said in threads.map(look, DECODERS) if said] == []


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
