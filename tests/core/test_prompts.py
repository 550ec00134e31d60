"""Prompt templates: variables are filled in, every other brace is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmd.core.tasks.prompts import EVENTS_PROMPT, clock, fill, fill_window, shown, unknown_variables


def test_json_in_a_template_stays_as_it_is() -> None:
    template = 'Answer like {"label": "Goal", "at": {}} for {labels}. {Labels} {l4bels} {{labels}}'
    filled = 'Answer like {"label": "Goal", "at": {}} for Foul. {Labels} {l4bels} {Foul}'
    assert fill(template, {"labels": "Foul"}) == filled
    assert unknown_variables(template, {"labels"}) == []


def test_misspelt_variables_are_named() -> None:
    assert unknown_variables("{start} {label} {frame} {label}", {"labels"}) == ["frame", "label"]
    assert unknown_variables("{result.match} {result.other}", {"result.match"}) == ["result.other"]
    assert unknown_variables(EVENTS_PROMPT, {"labels", "teams", "fps"}) == []


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    once = fill("{labels} {teams} {start}", {"labels": "{teams}", "teams": "{start}"})
    assert shown(once) == "{teams} {start} {start}"
    assert fill_window(once, 0, 1000, 5) == "{teams} {start} 0:00:00"


@given(st.text())
def test_a_question_is_asked_as_it_stands(question: str) -> None:
    filled = fill_window(fill("{question} {end}", {"question": question}), 0, 1000, 5)
    assert filled == f"{question} 0:00:01".replace("\ue000", "{")


@given(st.text())
def test_a_template_without_variables_is_its_own_filling(template: str) -> None:
    assert fill(template, {}) == template


def test_a_window_tells_when_its_pictures_are_shown() -> None:
    assert fill_window("{times}", 0, 1000, 2, [200, 600]) == "0:00:00.200, 0:00:00.600"


def test_a_window_tells_its_times_and_pictures() -> None:
    filled = fill_window("{start}-{end}: {frames} pictures, {labels}", 3_723_500, 3_726_000, 13)
    assert filled == "1:02:03.500-1:02:06: 13 pictures, {labels}"


@pytest.mark.parametrize(("ms", "text"), [(0, "0:00:00"), (59_999, "0:00:59.999"), (360_000_000, "100:00:00")])
def test_the_clock(ms: int, text: str) -> None:
    assert clock(ms) == text
