"""Prompt templates: variables are filled in, every other brace is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.tasks.prompts import EVENTS_PROMPT, clock, fill, fill_window, unknown_variables


def test_json_in_a_template_stays_as_it_is() -> None:
    template = 'Answer like {"label": "Goal", "at": {}} for {labels}. {Labels} {l4bels} {{labels}}'
    filled = 'Answer like {"label": "Goal", "at": {}} for Foul. {Labels} {l4bels} {Foul}'
    assert fill(template, {"labels": "Foul"}) == filled
    assert unknown_variables(template) == []


def test_misspelt_variables_are_named() -> None:
    assert unknown_variables("{start} {label} {frame} {label}") == ["frame", "label"]
    assert unknown_variables(EVENTS_PROMPT) == []


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert fill("{labels} {teams}", {"labels": "{teams}", "teams": "{labels}"}) == "{teams} {labels}"


@given(st.text())
def test_a_template_without_variables_is_its_own_filling(template: str) -> None:
    assert fill(template, {}) == template


def test_a_window_tells_its_times_and_pictures() -> None:
    filled = fill_window("{start}-{end}: {frames} pictures, {labels}", 3_723_500, 3_726_000, 13)
    assert filled == "1:02:03.500-1:02:06: 13 pictures, {labels}"


@pytest.mark.parametrize(("ms", "text"), [(0, "0:00:00"), (59_999, "0:00:59.999"), (360_000_000, "100:00:00")])
def test_the_clock(ms: int, text: str) -> None:
    assert clock(ms) == text
