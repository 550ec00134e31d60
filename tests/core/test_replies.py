"""Any text becomes objects, or is flagged; exactly where possible, quickly always."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmd.core.tasks.loops import is_degenerate
from vlmd.core.tasks.replies import MAX_CHARS, Cut, Reply, read_reply

GOAL = {"label": "Goal"}
FOUL = {"label": "Foul"}
FENCE = "`" * 3


def values(reply: Reply) -> list[object]:
    return [found.value for found in reply.found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"label": "Goal"}', [GOAL]),
        ('\ufeff{"label": "Goal"}', [GOAL]),
        (f'{FENCE}json\n{{"label": "Goal"}}\n{FENCE}', [GOAL]),
        (f'{FENCE}json {{"label": "Goal"}}{FENCE}', [GOAL]),
        (f"{FENCE}\n{{'label': 'Goal'}}\n{FENCE}", [GOAL]),
        ("{'label': 'Goal', 'team': None}", [{"label": "Goal", "team": None}]),
        ("{'label': 'Goal', 'team': null}", [{"label": "Goal", "team": None}]),
        ('{"label": "Goal"}{"label": "Foul"}', [GOAL, FOUL]),
        ('{"label": "Goal"}\n{"label": "Foul"}', [GOAL, FOUL]),
        ('{"label": "Goal"},\n{"label": "Foul"},', [GOAL, FOUL]),
        ('[{"label": "Goal"}, {"label": "Foul"}]', [[GOAL, FOUL]]),
        ('{"d": "a } and a { and \\" too"}', [{"d": 'a } and a { and " too'}]),
        ('{"d": "two\nlines\tand \x00"}', [{"d": "two\nlines\tand \x00"}]),
        ('{"d": "<think> and </think>"}', [{"d": "<think> and </think>"}]),
    ],
)
def test_exact_answers_are_read_as_they_are(text: str, expected: list[object]) -> None:
    reply = read_reply(text)
    assert values(reply) == expected
    assert not reply.repaired
    assert not reply.cut
    assert reply.problems == []


@pytest.mark.parametrize("thought", ["<think>the {ball} went</think>", "the {ball} went</think>\n"])
def test_reasoning_is_left_out_with_a_flag(thought: str) -> None:
    reply = read_reply(thought + "{'label': 'Goal'}")
    assert values(reply) == [GOAL]
    assert reply.start == len(thought.rstrip())
    assert reply.problems == ["reasoning"]


def test_tags_inside_of_strings_are_no_reasoning() -> None:
    reply = read_reply('It is {"d": "<think>"} and {"d": "</think>"}')
    assert values(reply) == [{"d": "<think>"}, {"d": "</think>"}]


def test_objects_in_prose_are_found_where_they_stand() -> None:
    text = "The player's shot: {\"label\": \"Goal\"}; then {'label': 'Foul'} (it's late)."
    reply = read_reply(text)
    assert [text[found.start : found.end] for found in reply.found] == [
        '{"label": "Goal"}',
        "{'label': 'Foul'}",
    ]
    assert reply.problems == ["text-outside"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{label: Goal}", [GOAL]),
        ('{"label": "Goal"', [GOAL]),
        ('[{"label": "Goal"}, {"label": "Foul"}', [[GOAL, FOUL]]),
        ('[{"label": Goal}, {"label": "Foul"}]', [GOAL, FOUL]),
        ('{"label": "Goal"\n{"label": "Foul"}', [GOAL, FOUL]),
        ('{"label": "Goal}\n{"label": "Foul"}', [GOAL, FOUL]),
        ('{label: \'tis}\n{"label": "Foul"}', [{"label": "tis"}, FOUL]),
        ('{"d": "the "big" one"}', [{"d": 'the "big" one'}]),
    ],
)
def test_broken_answers_lose_no_object_and_are_flagged_repaired(text: str, expected: list[object]) -> None:
    reply = read_reply(text)
    assert values(reply) == expected
    assert reply.repaired


@pytest.mark.parametrize(
    ("text", "expected", "cut"),
    [
        ('{"label": "Goal", "confidence": 0.9', {"label": "Goal", "confidence": 0.9}, Cut.INSIDE),
        ('{"label": "Goal", "confidence": 0.9,', {"label": "Goal", "confidence": 0.9}, Cut.AFTER),
        ('{"label": "Goal", "te', {"label": "Goal", "te": None}, Cut.INSIDE),
        ('{"label": "Goal", "team":', {"label": "Goal", "team": None}, Cut.INSIDE),
        ('{"label": "Goal", "d": "a\\u00', {"label": "Goal", "d": "a"}, Cut.INSIDE),
        ('{"label": "Goal", "d": "a\\', {"label": "Goal", "d": "a"}, Cut.INSIDE),
        (
            f'{FENCE}json\n{{"label": "Goal", "d": "Player 2000',
            {"label": "Goal", "d": "Player 2000"},
            Cut.INSIDE,
        ),
    ],
)
def test_a_cut_object_is_closed_and_says_where_it_was_cut(text: str, expected: object, cut: Cut) -> None:
    reply = read_reply(text)
    assert values(reply) == [expected]
    assert reply.found[0].cut == cut
    assert reply.cut
    assert reply.repaired


def test_repeated_keys_are_several_objects() -> None:
    reply = read_reply('{"label": "Goal", "team": "home", "label": "Foul", "team": "away"}')
    assert values(reply) == [[{"label": "Goal", "team": "home"}, {"label": "Foul", "team": "away"}]]
    assert reply.problems == ["repeated-keys"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a {stray} brace", "unread-text"),
        ("<think>on and on", "unfinished-reasoning"),
        ("x" * (MAX_CHARS + 1), "too-long"),
        ('{"a": 1} and so on', "text-outside"),
    ],
)
def test_what_is_not_read_is_flagged(text: str, problem: str) -> None:
    assert problem in read_reply(text).problems


BIG = 200_000
HOSTILE = {
    "braces": "{" * 20_000,
    "brackets": "[" * 20_000,
    "many braces": "{" * BIG,
    "closed braces": "{" * 20_000 + "}" * 20_000,
    "closed bad braces": "{a:" * 5_000 + "}" * 5_000,
    "closed brackets": "[" * 20_000 + "]" * 20_000,
    "mixed": "[{" * 50_000,
    "open string": '{"label": "' + "x" * BIG,
    "open strings": '{"a":"' * 30_000,
    "open lines": '{"a":' + '"x\n' * 60_000,
    "escapes": '{"a": "' + '\\"' * 100_000,
    "backslashes": '{"a": "' + "\\" * BIG,
    "quotes": '{"a": ' + '"' * BIG,
    "apostrophes": "{a:'" * 50_000,
    "spaces": '{"a":' + " " * BIG + '"',
    "small objects": "{a:}" * 50_000,
    "small lists": "[{a:}]" * 40_000,
    "empty objects": "{}" * 100_000,
    "think": "<think>" * 30_000,
    "fences": (FENCE + "\n") * 50_000,
    "one line": "a b " * 300_000,
    "loop": "ab" * 500_000,
    "number": '{"a": ' + "1" * 10_000 + "}",
    "sum": "{1: " + "1+" * 15_000 + "1}",
    "minus": "{1: " + "-" * 30_000 + "1}",
    "deep": '{"a":' * 900 + "1" + "}" * 900,
    "nul": "\x00" * BIG,
    "surrogates": '\ud800{"a": "\udfff"}',
    "repair": "{x:" + "\"'," * 2_600 + "}",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_quickly(name: str) -> None:
    reply = read_reply(HOSTILE[name])
    assert reply.found or reply.problems or not reply.cut


WORDS = [
    "None",
    "null",
    "label",
    "0.9",
    '{"label": "Goal"}',
    "{'a': 1}",
    FENCE,
    FENCE + "json\n",
    "<think>",
    "</think>",
]
SNIPPETS = st.sampled_from([*"{}[]\"':,\\\n \x00\ud8001-(é", "\\u00", *WORDS])


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(SNIPPETS, max_size=60).map("".join)))
def test_any_text_is_read_without_raising(text: str) -> None:
    reply = read_reply(text)
    assert [found.start for found in reply.found] == sorted(found.start for found in reply.found)
    assert all(0 <= found.start < found.end <= len(text) for found in reply.found)
    assert reply == read_reply(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(SNIPPETS, max_size=25).map("".join), st.lists(SNIPPETS, max_size=25).map("".join))
def test_what_stands_around_a_whole_object_costs_it_only_with_a_flag(before: str, after: str) -> None:
    reply = read_reply(before + '\n{"label": "Goal"}\n' + after)
    assert "Goal" in str(values(reply)) or reply.problems or reply.repaired


@pytest.mark.parametrize(
    "text",
    [
        "Player 2" + "0" * 60,
        "the ball the ball the ball the ball the ball the ball",
        '{"label": "Foul"}\n' * 6,
        "one\ntwo words\n" * 6,
        "球员" * 30,
        "{" + "\n" * 300,
        "x " * 3000 + "the end of it" * 8,
    ],
)
def test_loops_are_degenerate(text: str) -> None:
    assert is_degenerate(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "None",
        '{"label": "Foul", "confidence": 0.90000000000000002}',
        '{"label": "Foul", "team": "home"}\n{"label": "Foul", "team": "away"}\n' * 2,
        "Player 10 passes to player 11, who passes to player 12, who shoots.",
        "-" * 30,
    ],
)
def test_ordinary_answers_are_not_degenerate(text: str) -> None:
    assert not is_degenerate(text)
