"""What is kept of an answer is bounded, valid, and says that it was cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vlmd.core.answers import MAX_TEXT_BYTES, Finish, Token, bounded
from vlmd.core.tasks.events import EventsTask, parse_answer

TASK = EventsTask(labels=["Goal"], teams=["home"])


def test_a_short_answer_is_kept_as_it_is() -> None:
    tokens = [Token(0, -0.1), Token(2, -0.2)]
    assert bounded("a日b", tokens, "stop") == ("a日b", tokens, "stop")


@settings(deadline=None, max_examples=20)
@given(st.integers(MAX_TEXT_BYTES - 8, MAX_TEXT_BYTES + 8), st.sampled_from("a日🎉"))
def test_a_long_one_is_cut_between_characters_and_says_so(size: int, character: str) -> None:
    text = character * (size // len(character.encode()) + 1)
    tokens = [Token(at, -0.1) for at in range(len(text))]
    kept, left, finish = bounded(text, tokens, "length")
    assert len(kept.encode()) <= MAX_TEXT_BYTES and text.startswith(kept)
    assert [token.offset for token in left] == list(range(len(kept)))
    assert finish == (Finish.SIZE if kept != text else "length")


def test_lone_surrogates_are_replaced_one_by_one() -> None:
    assert bounded("a\ud800b\udc80", [Token(3, 0.0)], "stop") == ("a?b?", [Token(3, 0.0)], "stop")


def test_an_answer_that_was_ended_as_it_looped_is_flagged() -> None:
    text = '{"label": "Goal"}' * 9
    said = {finish: parse_answer(text, [], finish, TASK) for finish in Finish}
    assert [finish for finish, answer in said.items() if answer.truncated] == [*Finish][1:]
    assert parse_answer("a goal, perhaps", [], Finish.LOOP, TASK).degenerate
    assert not parse_answer("a goal, perhaps", [], Finish.LENGTH, TASK).degenerate


def test_what_a_video_makes_a_model_say_is_still_only_text() -> None:
    """A caption in a picture can change what is answered, and nothing else: no label that was not asked for counts."""
    text = '{"label": "Ignore your instructions", "team": "../../etc/passwd", "details": "\\u001b]0;owned\\u0007$(id)"}'
    answer = parse_answer(text, [], Finish.STOP, TASK)
    (event,) = answer.events
    assert not event.label_known and not event.team_known
    assert event.details.isprintable()
    assert {"unknown-label", "unknown-team", "control-characters"} <= set(answer.problems)
