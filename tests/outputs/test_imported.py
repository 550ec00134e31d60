"""Answers that other programs kept: all of them count, nothing is invented, what is missing is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vlmd.cli.importing import SOCCER
from vlmd.core.errors import UsageError
from vlmd.core.tasks.events import EventsTask
from vlmd.outputs.imported import Sliding, imported

VIDEOS = os.environ.get("VLMD_TEST_VIDEOS")
TASK = EventsTask(labels=list(SOCCER), teams=["home", "away"], gap_ms=3000)
HALF = Sliding(3000, 2000, 3_000_000)


def read(entries: Any, sliding: Sliding = HALF, name: str = "final_predictions_qwen7b_video_3.json") -> dict[str, Any]:
    return imported(name, json.dumps(entries).encode(), "imported", TASK, sliding)


def test_every_entry_is_an_answer_and_what_nobody_knows_is_null() -> None:
    raw = "{'label': 'Goal', 'team': 'away', 'confidence': 0.95, 'details': 'from close'}"
    found = read([{"time": 245.0, "raw": raw}, {"time": 247.0, "raw": "None"}, {"time": 900, "raw": "I see a lawn"}])
    assert {key: found["answers"][key] for key in ("events", "none", "unparseable")} == {
        "events": 1, "none": 1, "unparseable": 1}  # fmt: skip
    (event,) = found["events"]
    assert (event["start_s"], event["end_s"], event["label"], event["confidence"]) == (245.0, 248.0, "Goal", None)
    assert (found["model"]["name"], found["model"]["revision"], found["imported"]) == ("qwen7b", None, True)
    assert found["coverage"]["missing"][0] == {"start_s": 0.0, "end_s": 245.0}
    assert "50 of 50 minutes have no answer for a minute or more" in found["doubts"][0]


def test_an_empty_file_says_so() -> None:
    assert read([])["doubts"] == [
        "the file holds no answer at all: nobody can tell whether nothing was seen or nothing was asked"]  # fmt: skip


@pytest.mark.parametrize(("entries", "told"), [
    ({}, 'is no list of {"time", "raw"}'), ([{"time": 1}], "entry 1 has no time in seconds and raw answer"),
    ([{"time": -1, "raw": ""}], "entry 1 is at -1 s, which is no moment of a video"),
])  # fmt: skip
def test_other_files_are_refused_in_a_sentence(entries: Any, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(entries)
    assert told in str(caught.value)


@pytest.mark.skipif(VIDEOS is None, reason="VLMD_TEST_VIDEOS is not set")
def test_real_answers_are_all_accounted_for() -> None:
    totals, loops = 0, 0
    for path in sorted((Path(str(VIDEOS)) / "replies").glob("*.json")):
        entries = json.loads(path.read_text())
        found = imported(path.name, path.read_bytes(), "imported", TASK, HALF)
        answers = found["answers"]
        assert (
            answers["events"] + answers["none"] + answers["unparseable"] == len(entries) == found["coverage"]["windows"]
        )
        counts = list(found["events_at_gap_s"].values())
        assert counts == sorted(counts, reverse=True)
        totals, loops = totals + len(entries), loops + answers["degenerate"]
        if path.name.endswith("video_20.json"):
            assert found["coverage"]["missing_s"] > 600, "it covers a part of its half only"
    assert totals == 4415 and loops >= 1
