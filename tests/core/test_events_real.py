"""Real answers of a 7-billion-parameter model over five match halves: every one parsed or flagged, none lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.core.test_events import TASK
from vlmd.core.merge import WindowEvents, merge_counts
from vlmd.core.tasks.events import ParsedAnswer, parse_answer


def real_answers(videos: Path) -> dict[str, list[tuple[float, ParsedAnswer]]]:
    return {
        path.stem.removeprefix("final_predictions_"): [
            (one["time"], parse_answer(one["raw"], [], "stop", TASK)) for one in json.loads(path.read_text())
        ]
        for path in sorted((videos / "replies").glob("*.json"))
    }


def test_every_real_answer_is_parsed_or_flagged(videos: Path) -> None:
    answers = real_answers(videos)
    every = [answer for file in answers.values() for _, answer in file]
    assert {name: len(file) for name, file in answers.items()} == {
        "phi3.5_video_0": 0,
        "qwen7b_video_0": 950,
        "qwen7b_video_11": 917,
        "qwen7b_video_18": 1041,
        "qwen7b_video_20": 509,
        "qwen7b_video_5": 998,
    }
    assert Counter(answer.outcome for answer in every) == {"events": 4414, "unparseable": 1}
    assert sum(len(answer.events) for answer in every) == 4420
    assert sum("repeated-event" in answer.problems for answer in every) == 4
    assert sum("unknown-label" in answer.problems for answer in every) == 407
    odd = {
        (name, time, answer.outcome, answer.degenerate, answer.repaired, answer.truncated)
        for name, file in answers.items()
        for time, answer in file
        if answer.outcome != "events" or answer.degenerate or answer.repaired
    }
    assert odd == {
        ("qwen7b_video_18", 1294.0, "events", True, True, True),
        ("qwen7b_video_20", 1292.0, "unparseable", False, False, False),
    }


def test_how_many_events_remain_for_each_gap(videos: Path) -> None:
    """The files were merged at 3 s already, so 3 s leaves every event; longer gaps leave fewer."""
    remaining = {}
    for name, answers in real_answers(videos).items():
        windows = [
            WindowEvents(number, round(time * 1000), round(time * 1000) + 3000, answer.events)
            for number, (time, answer) in enumerate(answers)
        ]
        remaining[name] = list(merge_counts(windows).values())
    assert remaining == {
        "phi3.5_video_0": [0, 0, 0, 0],
        "qwen7b_video_0": [950, 748, 558, 424],
        "qwen7b_video_11": [917, 703, 531, 410],
        "qwen7b_video_18": [1046, 822, 616, 457],
        "qwen7b_video_20": [508, 384, 289, 216],
        "qwen7b_video_5": [998, 738, 546, 417],
    }
