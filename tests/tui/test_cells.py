"""Whatever it is, it is as wide as it is said to be."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from vlmd.tui import cells

WIDTHS = st.integers(1, 60)


@settings(max_examples=50, deadline=None)
@given(text=st.text(), width=WIDTHS)
@example(text="日本語の動画", width=5)
@example(text="e" + "\u0301" * 500, width=10)
def test_cut_text_fits_and_short_text_stays(text: str, width: int) -> None:
    for cut in (cells.cut(text, width), cells.cut_middle(text, width)):
        assert cell_len(cut) <= width
        assert len(cut) <= 4 * width + 1
        assert cut.isprintable()
    if text.isascii() and text.isprintable() and len(text) <= width:
        assert cells.cut(text, width) == cells.cut_middle(text, width) == text


@settings(max_examples=50, deadline=None)
@given(text=st.text(), width=WIDTHS, right=st.booleans())
def test_fitted_text_is_exactly_as_wide(text: str, width: int, right: bool) -> None:
    assert cell_len(cells.fitted(text, width, right).plain) == width


def test_the_middle_goes_first() -> None:
    assert cells.cut_middle("season-2029-match-1.mkv", 14) == "season…h-1.mkv"


@settings(max_examples=50, deadline=None)
@given(share=st.floats(-1, 2), width=st.integers(0, 50))
def test_a_bar_is_as_wide_as_asked(share: float, width: int) -> None:
    assert cell_len(cells.bar(share, width, "").plain) == width


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1e15))
def test_numbers_stay_in_their_columns(value: float) -> None:
    assert len(cells.number(value)) <= 5
    assert len(cells.short_count(value, 5)) <= 5
    assert len(cells.duration(min(value, 1e11))) <= 7


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7, "0:07"), (754, "12:34"), (3723, "1:02:03"), (100_000, "27 h"), (1_000_000, "11 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (0.254, "0.25"), (12.34, "12.3"), (123.4, "123"), (4711, "4711"), (123456, "123k")],
)
def test_numbers(value: float, text: str) -> None:
    assert cells.number(value) == text
