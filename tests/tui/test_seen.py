"""Events so far are what a merge would make of the same answers, however they came in."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.making import TASK, answer, seen
from vlmd.core.merge import WindowEvents, merge_events
from vlmd.core.tasks.choice import ChoiceTask
from vlmd.core.tasks.events import parse_answer
from vlmd.core.tasks.feedback import FeedbackTask
from vlmd.core.tasks.text import TextTask
from vlmd.tui.seen import AnswerPage, Cursors, Seen


def said(*labels: str) -> str:
    return "\n".join(json.dumps({"label": label, "team": "home"}) for label in labels) or "None"


ANSWERS = st.lists(st.lists(st.sampled_from(TASK.labels), max_size=2), max_size=12)


@settings(max_examples=50, deadline=None)
@given(labels=ANSWERS, seed=st.randoms(use_true_random=False))
def test_the_count_is_that_of_a_merge(labels: list[list[str]], seed: object) -> None:
    answers = [answer(at + 1, 2.0 * at, said(*found)) for at, found in enumerate(labels)]
    parsed = [(one, parse_answer(one.text, [], "stop", TASK)) for one in answers]
    windows = [WindowEvents(one.id, one.start_ms, one.end_ms, read.events) for one, read in parsed]
    shuffled = answers + answers[::2]
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert seen(shuffled).counts().get(1, 0) == len(merge_events(windows, TASK.gap_ms))


def test_the_newest_event_comes_first_and_an_old_one_seen_again_does_not() -> None:
    answers = [
        answer(1, 10, said("Goal")),
        answer(2, 50, said("Substitution")),
        answer(3, 12, said("Goal")),
        answer(4, 90, said("Yellow card"), job=2, name="other.mkv"),
    ]
    newest = seen(answers).newest(10)
    assert [(one.what, one.job) for one in newest] == [("Yellow card", 2), ("Substitution", 1), ("Goal", 1)]


def test_what_other_tasks_say_is_seen_window_by_window() -> None:
    tasks = {"match": TextTask(), "road": ChoiceTask(choices=["red", "green"]), "physio": FeedbackTask()}
    pages = [
        msgspec.structs.replace(answer(1, 10, "A ball.\nIt \x1b[2Jrolls."), pipeline="match"),
        msgspec.structs.replace(answer(2, 0, "B", job=2), pipeline="road", option_logprobs=[-2.0, -0.2]),
        msgspec.structs.replace(answer(3, 0, "Cat cow - slower.", job=3), pipeline="physio"),
        msgspec.structs.replace(answer(4, 20, "   ", job=1), pipeline="match"),
    ]
    taken = Seen()
    taken.take(AnswerPage(pages, tasks))
    assert [(one.what, one.details) for one in taken.newest(9)] == [
        ("Cat cow", "slower."), ("B", ""), ("A ball. It \ufffd[2Jrolls.", "A ball. It \ufffd[2Jrolls.")]  # fmt: skip
    assert taken.newest(9)[1].confidence == pytest.approx(0.858, abs=0.001)
    assert taken.counts() == {1: 1, 2: 1, 3: 1}


def test_an_answer_given_afresh_replaces_the_old_one() -> None:
    assert seen([answer(1, 10, said("Goal")), answer(7, 10, said())]).counts() == {1: 0}


def test_only_the_latest_jobs_are_remembered() -> None:
    many = seen([answer(number, 0, said("Goal"), job=number) for number in range(1, 80)])
    assert sorted(many.counts()) == list(range(30, 80))


def page(*ids: int) -> AnswerPage:
    return AnswerPage([answer(number, 0, "None") for number in ids], {})


def test_a_job_is_read_page_by_page_once() -> None:
    cursors = Cursors()
    assert cursors.unread([5]) == {5: 0}
    cursors.read_job(5, page(1, 2), limit=2)
    assert cursors.unread([5]) == {5: 2}
    assert not cursors.complete(5)
    cursors.read_job(5, page(9), limit=2)
    assert cursors.unread([5]) == {}
    assert cursors.complete(5)


def test_a_gap_in_the_newest_answers_has_every_job_read_on() -> None:
    cursors = Cursors()
    cursors.unread([5])
    cursors.read_job(5, page(1), limit=2)
    cursors.read_newest(page(3), limit=2)
    assert (cursors.newest, cursors.unread([5])) == (3, {})
    cursors.read_newest(page(8, 9), limit=2)
    assert (cursors.newest, cursors.unread([5])) == (9, {5: 1})


def test_a_job_that_runs_again_is_read_from_its_beginning() -> None:
    """A retry takes over old answers, with old numbers."""
    cursors = Cursors()
    cursors.unread([5])
    cursors.read_job(5, page(7), limit=2)
    cursors.unread([])
    assert cursors.unread([5]) == {5: 0}
