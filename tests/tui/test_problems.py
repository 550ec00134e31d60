"""Whatever is wrong is said once for each kind, with its reason and what helps."""

from __future__ import annotations

from typing import Any

from tests.tui.making import device, document, done, failed
from vlmd.tui.problems import Problem, by_kind, problems, unlisted


def doubtful(number: int, *doubts: str) -> dict[str, Any]:
    return done(number, summary={"events": 0, "doubts": list(doubts)})


def test_what_is_odd_about_a_result() -> None:
    failed, cut = problems(document([], doubtful=[doubtful(7, "3 of 600 windows failed", "the end is missing")]))
    assert (failed.reason, failed.serious, cut.reason) == ("3 of 600 windows failed", False, "the end is missing")
    assert "`vlmd retry 7`" in failed.remedy


def test_doubts_that_differ_in_numbers_only_are_one_kind() -> None:
    jobs = [doubtful(1, "3 of 600 windows failed"), doubtful(2, "4 of 9 windows failed"), doubtful(3, "cut")]
    assert [(one.what[:5], one.alike) for one in by_kind(problems(document([], doubtful=jobs)))] == [
        ("job 1", 1),
        ("job 3", 0),
    ]


def test_what_concerns_all_comes_first() -> None:
    said = document(
        [device(state="parked", reason="no driver"), device("cuda:1", state="paused", reason=None)],
        failed=[failed(1, "undecodable", "no picture", "re-encode it")],
        inbox={"settling": [], "problem": "it is gone"},
        problems=[{"what": "disk", "reason": "it is full", "remedy": None}],
    )
    assert [found.what for found in problems(said)] == ["disk", "inbox", "cuda:0 parked", "job 1 match/game 1.mkv"]


def test_the_first_of_a_kind_stands_for_the_others() -> None:
    found = [Problem("a", "", kind="x"), Problem("b", ""), Problem("c", "", kind="x"), Problem("d", "")]
    assert [(one.what, one.alike) for one in by_kind(found)] == [("a", 1), ("b", 0), ("d", 0)]


def test_what_was_not_sent_is_counted() -> None:
    said = document([], failed=[failed(1, "undecodable", "", "")], open_ends={"failed": 40, "refused": 2})
    assert unlisted(said) == 41
