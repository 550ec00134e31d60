"""What is said of a device that looks at nothing, of jobs that wait, and of swaps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tui.making import device, document, frame, job
from vlmd.tui.doing import doing, swaps
from vlmd.tui.header import header
from vlmd.tui.sections import job_lines


@pytest.mark.parametrize(
    ("loading", "words"),
    [
        ({"share": 0.375, "left_s": 12.0, "seconds": 7.5}, "load weights 3 of 8, 38 %, 0:12 left"),
        ({"share": None, "left_s": None, "seconds": 61.0}, "load weights 3 of 8, for 1:01"),
        (None, "load weights 3 of 8"),
    ],
)
def test_loading_says_how_far_it_is(loading: dict[str, Any] | None, words: str) -> None:
    shown = device(state="loading", stage="load weights 3 of 8", loading=loading, looking_at=None)
    assert doing(shown) == words
    assert frame(document([shown])).devices[0].doing == words


def test_a_device_that_changes_its_model_says_to_which() -> None:
    assert doing(device(state="swapping", next_model="smol")) == "makes room for smol"
    assert doing(device(state="busy")) == ""


def test_a_device_that_is_lent_says_to_which() -> None:
    lent = device("cuda:1", state="lent", reason="with cuda:0", lent_to="cuda:0", looking_at=None)
    assert doing(lent) == "with cuda:0"
    assert not frame(document([lent])).problems, "nothing is wrong with that"


def test_swaps_are_told_once_there_were_some() -> None:
    assert swaps({}) == swaps({"swaps": {"count": 0, "seconds": 0.0}}) == ""
    said = document([device()], swaps={"count": 3, "seconds": 130.0})
    assert swaps(said) == "3 model swaps, 2:10"
    assert "3 model swaps, 2:10" in header(frame(said), 120, "")[0].plain


def test_a_job_that_waits_for_its_model_says_so() -> None:
    said = document([device()], jobs={"queued": 1}, active=[job(1, waits="waits for smol; cuda:0 is busy with qwen")])
    lines = "\n".join(line.plain for line in job_lines(frame(said), 160, 10))
    assert "waits for smol; cuda:0 is" in lines
