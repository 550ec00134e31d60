"""Loops are noticed while they are generated, soon, and only where there is one."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.loops import LoopWatch

TOKEN = st.integers(0, 3)


def stops_at(tokens: list[int]) -> int | None:
    """After how many tokens an answer is ended."""
    watch = LoopWatch()
    return next((count for count, token in enumerate(tokens, 1) if watch.add(token)), None)


def is_loop(tokens: list[int]) -> bool:
    """The rule, written down plainly: the last 64 tokens or more are the same run at least six times."""
    for period in range(1, min(96, len(tokens)) + 1):
        size = max(64, 6 * period)
        tail = tokens[-size:]
        if len(tail) == size and all(tail[at] == tail[at - period] for at in range(period, size)):
            return True
    return False


@given(st.lists(TOKEN, max_size=20), st.lists(TOKEN, min_size=1, max_size=12), st.integers(1, 80))
def test_it_is_the_plain_rule(before: list[int], repeated: list[int], times: int) -> None:
    tokens = before + repeated * times
    expected = next((count for count in range(1, len(tokens) + 1) if is_loop(tokens[:count])), None)
    assert stops_at(tokens) == expected


@given(st.lists(TOKEN, max_size=100), st.lists(TOKEN, max_size=300))
def test_a_copy_has_heard_the_same_and_goes_its_own_way(before: list[int], after: list[int]) -> None:
    watch = LoopWatch()
    for token in before:
        watch.add(token)
    copy = watch.copy()
    said = [copy.add(token) for token in after]
    assert [watch.add(token) for token in after] == said


@given(st.lists(st.integers(), unique=True, min_size=1, max_size=96), st.lists(st.integers(), max_size=50))
def test_any_loop_is_ended_within_its_seventh_turn_or_a_few_tokens(repeated: list[int], before: list[int]) -> None:
    at = stops_at(before + repeated * 70)
    assert at is not None and at <= len(before) + max(64, 6 * len(repeated))


def test_of_real_answers_exactly_the_one_that_babbles_is_ended(videos: Path) -> None:
    ended = []
    for path in sorted((videos / "replies").glob("*.json")):
        for reply in json.loads(path.read_text()):
            tokens = [hash(piece) for piece in re.findall(r" ?[A-Za-z]+|\d{1,2}|.|\n", reply["raw"])]
            if (at := stops_at(tokens)) is not None:
                ended.append((path.stem, reply["time"], at < len(tokens)))
    assert ended == [("final_predictions_qwen7b_video_18", 1294.0, True)]
