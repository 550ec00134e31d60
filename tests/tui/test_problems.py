"""Whatever is wrong is said once for each kind, with its reason and what helps."""

from __future__ import annotations

from typing import Any

from tests.tui.making import device, document, done, failed
from vlmd.tui.problems import Problem, by_kind, problems, unlisted


def doubts(**summary: Any) -> list[tuple[str, bool]]:
    said = {"events": 0, "windows_with_events": 0, "unparseable": 0, "truncated": False, **summary}
    return [(found.reason, found.serious) for found in problems(document([], doubtful=[done(7, summary=said)]))]


def test_what_is_odd_about_a_result() -> None:
    assert doubts() == [("every window answered none", False)]
    assert doubts(unparseable=600) == [("600 of 600 answers cannot be read", False)]
    assert doubts(windows_with_events=5, truncated=True) == [("the end of the video is missing", False)]
    assert doubts(windows_with_events=5) == []


def test_windows_that_failed_in_a_job_that_is_done() -> None:
    (found,) = problems(document([], doubtful=[done(7, answered=597, failed=3)]))
    assert found.reason == "3 of 600 windows failed"
    assert "`vlmd retry 7`" in found.remedy


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
