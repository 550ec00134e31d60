"""Answers become events, none or unparseable; what a model writes stays data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmd.core.answers import Token
from vlmd.core.tasks.events import Event, EventsTask, ParsedAnswer, parse_answer

LABELS = """Penalty, Kick-off, Goal, Substitution, Offside, Shots on target, Shots off target, Clearance,
Ball out of play, Throw-in, Foul, Indirect free-kick, Direct free-kick, Corner, Yellow card, Red card,
Yellow->red card"""
TASK = EventsTask(labels=[label.strip() for label in LABELS.split(",")], teams=["home", "away"])
FENCE = "`" * 3


def parse(text: str, tokens: list[Token] | None = None, finish: str = "stop") -> ParsedAnswer:
    return parse_answer(text, tokens or [], finish, TASK)


def only(text: str) -> Event:
    (event,) = parse(text).events
    return event


# --- events, none, unparseable -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *["None", "none.", " NONE\n", '"None"', "'null'", "null", "[]", "{}", "[null]", '["None"]', "N/A"],
        *[
            "No events",
            "No events detected.",
            "There are no events in these pictures.",
            "None of these events.",
        ],
        *[f"{FENCE}\nNone\n{FENCE}", f"{FENCE}None{FENCE}", f"{FENCE}json\n[]\n{FENCE}", "None\nNone"],
        *[
            '{"label": "None", "details": "a goal"}',
            '{"label": null}',
            '[{"label": "none"}]',
            '{"events": []}',
        ],
        "<think>Is it a goal?</think>\n\nNone",
    ],
)
def test_an_answer_that_says_none_is_none(text: str) -> None:
    answer = parse(text)
    assert (answer.outcome, answer.events) == ("none", [])


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "The players walk.", "None of it matters, it was a goal", "None, or a goal?", "Here: []"],
        *['{"foo": 1}', '{"label": ""}', '{"label": ["Goal"]}', '["Goal"]', "[7]", "[", '{"label": "Go'],
        *['{"events": [], "summary": "a goal"}', '[{"label": "None"}, {"foo": 1}]', "<think>None"],
    ],
)
def test_what_is_neither_events_nor_none_is_unparseable_and_says_why(text: str) -> None:
    answer = parse(text)
    assert (answer.outcome, answer.events) == ("unparseable", [])
    assert answer.problems


def test_the_letters_none_in_details_never_count() -> None:
    event = only('{"label": "Goal", "team": "home", "details": "None of the defenders moved. None"}')
    assert (event.label, event.details) == ("Goal", "None of the defenders moved. None")


def test_several_events_in_any_arrangement() -> None:
    two = ['{"label": "Goal", "team": "home"}', '{"label": "Foul", "team": "away"}']
    for text in ("\n".join(two), "".join(two), f"[{','.join(two)}]", f'{{"events": [{",".join(two)}]}}'):
        answer = parse(f"{FENCE}json\n{text}\n{FENCE}")
        assert [(event.label, event.team) for event in answer.events] == [("Goal", "home"), ("Foul", "away")]
        assert answer.problems == []


def test_a_none_beside_events_is_flagged() -> None:
    answer = parse('[{"label": "None"}, {"label": "Goal"}]')
    assert ([event.label for event in answer.events], answer.problems) == (["Goal"], ["none-beside-events"])


def test_the_same_event_twice_counts_once() -> None:
    answer = parse('{"label": "Goal"}\n' * 3 + '{"label": "Goal", "team": "home"}')
    assert [event.team for event in answer.events] == [None, "home"]
    assert answer.problems == ["repeated-event"]


def test_a_cut_answer_keeps_its_complete_events() -> None:
    answer = parse('[{"label": "Goal", "team": "home"}, {"label": "Fo', finish="length")
    assert [event.label for event in answer.events] == ["Goal"]
    assert (answer.truncated, answer.repaired) == (True, True)
    assert answer.problems == ["cut-field", "no-label"]


@pytest.mark.parametrize(
    "write", [json.dumps, repr, lambda events: "\n".join(json.dumps(one, indent=1) for one in events)]
)
def test_wherever_an_answer_is_cut_nothing_is_invented(write: Callable[[object], str]) -> None:
    events = [
        {"label": "Shots off target", "team": "home", "confidence": 0.95, "details": "It's 25, he \\ shoots"},
        {"label": "Corner", "team": "away", "confidence": 0.85, "details": 'from the "left" {side}'},
    ]
    text = write(events)
    read = [parse(text[:length]).events for length in range(1, len(text) + 1)]
    for event in (event for found in read for event in found):
        whole = events[0] if event.label == "Shots off target" else events[1]
        assert event.label == whole["label"]
        assert event.team in (None, whole["team"])
        assert event.stated_confidence in (None, whole["confidence"])
        assert str(whole["details"]).startswith(event.details)
    assert [len(found) for found in read] == sorted(len(found) for found in read)


def test_a_cut_value_is_left_out_but_the_beginning_of_details_is_kept() -> None:
    assert only('{"label": "Goal", "confidence": 0.9').stated_confidence is None
    assert only('{"label": "Goal", "confidence": 0.9,').stated_confidence == 0.9
    assert only('{"label": "Goal", "team": "aw').team is None
    assert only('{"label": "Goal", "details": "Player 2').details == "Player 2"


def test_an_answer_at_the_token_limit_is_truncated_even_if_it_looks_whole() -> None:
    assert parse('{"label": "Goal"}', finish="length").truncated
    assert not parse('{"label": "Goal"}').truncated


# --- labels, teams, confidences, details -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("goal", "Goal"),
        (" GOALS! ", "Goal"),
        ("Corners", "Corner"),
        ("Penalties", "Penalty"),
        ("Shot off target", "Shots off target"),
        ("shot_on_targets", "Shots on target"),
        ("kick off", "Kick-off"),
        ("Kickoff", "Kick-off"),
        ("yellow red card", "Yellow->red card"),
        ("Yellow card", "Yellow card"),
        ("**Throw-in**", "Throw-in"),
    ],
)
def test_labels_are_recognised(written: str, label: str) -> None:
    event = only(json.dumps({"label": written}))
    assert (event.label, event.label_known) == (label, True)


@pytest.mark.parametrize("written", ["Set Pieces", "Premier League logo", "Free-kick", "Other", "Goal kick", "7"])
def test_unknown_labels_are_kept_as_written(written: str) -> None:
    answer = parse(json.dumps({"label": written}))
    assert [(event.label, event.label_known) for event in answer.events] == [(written, False)]
    assert answer.problems == ["unknown-label"]


def test_a_label_that_could_be_two_is_none_of_them() -> None:
    task = EventsTask(labels=["C++", "C#", "Goal"], teams=[])
    (event,) = parse_answer('{"label": "c"}', [], "stop", task).events
    assert not event.label_known
    (event,) = parse_answer('{"label": "C#"}', [], "stop", task).events
    assert (event.label, event.label_known) == ("C#", True)


@pytest.mark.parametrize(
    ("written", "team", "known"),
    [
        ("home", "home", True),
        ("The Home team", "home", True),
        ("AWAY", "away", True),
        (None, None, True),
        ("", None, True),
        ("Unknown", None, True),
        ("none", None, True),
        ("n/a", None, True),
        ("red", "red", False),
        ("both", "both", False),
    ],
)
def test_teams(written: str | None, team: str | None, known: bool) -> None:
    event = only(json.dumps({"label": "Goal", "team": written}))
    assert (event.team, event.team_known) == (team, known)


@pytest.mark.parametrize(
    ("written", "stated"),
    [("0.9", 0.9), ('"0.9"', 0.9), ('"95%"', 0.95), ('"95 %"', 0.95), ("1", 1.0), ("0", 0.0), ('".5"', 0.5)],
)
def test_stated_confidence(written: str, stated: float) -> None:
    answer = parse(f'{{"label": "Goal", "confidence": {written}}}')
    assert (answer.events[0].stated_confidence, answer.problems) == (stated, [])


@pytest.mark.parametrize("written", ["NaN", "95", "-0.1", "1e999", '"high"', "true", "[0.9]", '"nan"', "9" * 400])
def test_a_bad_stated_confidence_is_none_and_flagged(written: str) -> None:
    answer = parse(f'{{"label": "Goal", "confidence": {written}}}')
    assert (answer.events[0].stated_confidence, answer.problems) == (None, ["bad-confidence"])


def test_what_else_is_written_is_flagged() -> None:
    assert parse('{"label": "Goal", "minute": 3}').problems == ["extra-fields"]
    assert parse('{"label": "Goal", "team": 1}').problems == ["bad-team"]
    assert parse('{"label": "Goal", "details": ["a", 1]}').problems == ["bad-details"]
    assert only('{"label": "Goal", "details": ["a", 1]}').details == '["a", 1]'


def test_strings_come_out_clean_and_capped() -> None:
    written = {"label": "L" * 200, "team": "T" * 200, "details": "a\x00\x1b[2Jb\nc" + "\ud800" + "d" * 2000}
    answer = parse(json.dumps(written))
    (event,) = answer.events
    assert (len(event.label), len(event.team or ""), len(event.details)) == (100, 100, 1000)
    assert event.details.startswith("a��[2Jb c�d")
    assert {"capped-label", "capped-team", "capped-details", "control-characters"} <= set(answer.problems)


def test_halves_of_a_surrogate_pair_are_joined() -> None:
    assert only("{'label': 'Goal', 'details': '\\ud83d\\ude00'}").details == "😀"


# --- confidence of tokens ----------------------------------------------------------------------------------


def tokens_of(*parts: tuple[str, float]) -> tuple[str, list[Token]]:
    text, tokens = "", []
    for part, logprob in parts:
        tokens.append(Token(len(text), logprob))
        text += part
    return text, tokens


def test_confidence_is_of_the_first_token_and_those_of_the_label() -> None:
    text, tokens = tokens_of(
        ('{"', -0.1),
        ("label", -5),
        ('": "', -5),
        ("Go", -0.2),
        ("al", -0.3),
        ('", "details": "Goal"}', -5),
        ("", -5),
    )
    (event,) = parse(text, tokens).events
    assert event.confidence == pytest.approx(math.exp(-0.6), abs=1e-4)


def test_each_event_has_the_confidence_of_its_own_label() -> None:
    text, tokens = tokens_of(
        ('[{"label": "', -0.1),
        ("Foul", -0.2),
        ('", "details": "label: Foul"}, {"label": "', -5),
        ("Foul", -0.4),
    )
    text += '", "team": "home"}]'
    tokens.append(Token(text.index('", "team"'), -5))
    events = parse(text, tokens).events
    assert [event.confidence for event in events] == [
        pytest.approx(math.exp(-0.3), abs=1e-4),
        pytest.approx(math.exp(-0.5), abs=1e-4),
    ]


def test_tokens_that_share_a_character_and_the_first_count_once() -> None:
    text, tokens = tokens_of(('{"label": "Go', -0.5), ("", -0.1), ("ö", -0.2), ('"}', -5))
    assert parse(text, tokens).events[0].confidence == pytest.approx(math.exp(-0.8), abs=1e-4)


def test_the_first_token_is_the_one_behind_the_reasoning() -> None:
    text, tokens = tokens_of(
        ("<think>", -5), ("x</think>", -5), ("\n", -5), ('{"label": "', -0.1), ("Goal", -0.2), ('"}', -5)
    )
    assert parse(text, tokens).events[0].confidence == pytest.approx(math.exp(-0.3), abs=1e-4)


def test_no_confidence_without_tokens_or_label_text() -> None:
    assert only('{"label": "Goal"}').confidence is None
    assert parse("{label: Goal}", [Token(0, -0.1)]).events[0].confidence is None
    assert parse('{"label": "Goal"}', [Token(0, math.nan)]).events[0].confidence is None
    assert parse('{"label": "Goal"}', [Token(0, -math.inf)]).events[0].confidence == 0.0


# --- properties --------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30).map(str.strip)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "label": st.sampled_from([*TASK.labels, "Set Pieces", "Premier League logo", 'a "b" \\ c']),
            "team": st.sampled_from(["home", "away", None]),
            "confidence": st.none() | st.floats(0, 1),
            "details": WORDS,
        }
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda event: json.dumps(event, sort_keys=True),
)
WRITERS = {
    "json": json.dumps,
    "raw unicode": lambda events: json.dumps(events, ensure_ascii=False, indent=2),
    "fenced": lambda events: f"{FENCE}json\n{json.dumps(events, indent=1)}\n{FENCE}",
    "python": repr,
    "one per line": lambda events: "\n".join(map(json.dumps, events)),
    "python per line": lambda events: "\n".join(map(repr, events)),
    "in a row": lambda events: "".join(map(json.dumps, events)),
    "fences in a row": lambda events: "\n".join(f"{FENCE}json\n{json.dumps(one)}\n{FENCE}" for one in events),
    "wrapped": lambda events: json.dumps({"events": events}),
    "prose": lambda events: "It's this:\n" + "\nand (it's late)\n".join(map(json.dumps, events)) + "\nThat's all.",
    "list in prose": lambda events: f"Here's what I see: {json.dumps(events)} - hope that helps!",
    "cut list": lambda events: json.dumps(events)[:-1],
}


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_events_come_back_however_they_are_written(writer: str, events: list[dict[str, object]]) -> None:
    answer = parse(WRITERS[writer](events))
    read = [
        {"label": e.label, "team": e.team, "confidence": e.stated_confidence, "details": e.details}
        for e in answer.events
    ]
    assert read == events
    expected = {"unknown-label"} & set(answer.problems) | ({"text-outside"} if "prose" in writer else set())
    assert set(answer.problems) == expected


WORDS_OF_ANSWERS = ["None", "null", '"label"', '"team"', '"confidence"', '"details"', '{"label": "Goal"}']
SNIPPETS = st.sampled_from(
    [*"{}[]\"':,\\\n \x00\ud800", "\\ud800", "0.9", "NaN", FENCE, "<think>", "</think>", *WORDS_OF_ANSWERS]
)
TOKENS = st.lists(st.builds(Token, st.integers(-2, 300), st.floats(max_value=0)), max_size=30)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(), st.lists(SNIPPETS, max_size=60).map("".join)), TOKENS)
def test_any_text_gives_events_none_or_a_reason_and_valid_json(text: str, tokens: list[Token]) -> None:
    answer = parse(text, tokens)
    assert (answer.outcome == "events") == bool(answer.events)
    assert answer.outcome != "unparseable" or answer.problems
    assert msgspec.json.decode(msgspec.json.encode(answer), type=ParsedAnswer) == answer
    for event in answer.events:
        assert all(share is None or 0 <= share <= 1 for share in (event.confidence, event.stated_confidence))


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "Goal"}' * 20_000,
        json.dumps([{"label": "Goal"}] * 15_000),
        json.dumps([{"label": "a\\'"}] * 12_000).replace('"', "'"),
        "[" * 900 + "]" * 900,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"label": "Goal", "details": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
@pytest.mark.timeout(30)
def test_many_and_deep_objects_are_read_quickly(text: str) -> None:
    answer = parse(text, [Token(at, -0.1) for at in range(0, 5000, 5)])
    assert answer.problems
