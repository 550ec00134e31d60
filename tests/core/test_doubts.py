"""A result that is less than it looks says so in a sentence, and every sentence comes with what helps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.doubts import Tally, doubts, kind, remedy


def tally(**counts: Any) -> Tally:
    nothing = {"windows": 44, "failed": 0, "answered": 44, "none": 0, "unparseable": 0, "degenerate": 0}
    return Tally(**{**nothing, "truncated": False, **counts})


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, []),
        ({"none": 43}, []),
        ({"none": 44}, ["every one of 44 windows answered none"]),
        ({"windows": 1, "answered": 1, "none": 1}, ["the only window answered none"]),
        ({"unparseable": 44}, ["not one of 44 answers can be read"]),
        ({"unparseable": 23}, ["more than half of all answers, 23 of 44, cannot be read"]),
        ({"unparseable": 22}, ["22 of 44 answers cannot be read"]),
        ({"answered": 0, "failed": 44}, ["every one of 44 windows failed"]),
        ({"answered": 41, "failed": 3}, ["3 of 44 windows failed"]),
        ({"truncated": True}, ["the end of the video is missing"]),
        ({"degenerate": 2}, ["2 of 44 answers got stuck in a loop"]),
        ({"unparseable": 1, "unanswered": "it is no letter"}, ["the question has no answer: it is no letter"]),
        (
            {"none": 40, "unparseable": 4},
            ["4 of 44 answers cannot be read", "not one of 44 windows showed anything that can be made out"],
        ),
        ({"answered": 0}, []),
    ],
)
def test_what_is_said(counts: dict[str, Any], said: list[str]) -> None:
    assert doubts(tally(**counts)) == said


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    answered = draw(st.integers(0, 50))
    failed = draw(st.integers(0, 50))
    none = draw(st.integers(0, answered))
    return Tally(
        windows=answered + failed + draw(st.integers(0, 5)),
        failed=failed,
        answered=answered,
        none=none,
        unparseable=draw(st.integers(0, answered - none)),
        degenerate=draw(st.integers(0, answered)),
        truncated=draw(st.booleans()),
        unanswered=draw(st.none() | st.just("no window was answered")),
    )


@given(tallies())
def test_nothing_at_all_is_never_without_a_doubt_and_every_doubt_has_a_remedy(counts: Tally) -> None:
    said = doubts(counts)
    if counts.answered and counts.none + counts.unparseable == counts.answered:
        assert said
    if not counts.answered and counts.failed:
        assert said
    assert all(remedy(doubt, 7) and not any(sign.isdecimal() for sign in kind(doubt)) for doubt in said)
