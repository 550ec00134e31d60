"""A result says what was found, how much was looked at, and keeps facts of the run to themselves."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgspec
from msgspec.structs import replace

from tests.samples import FACTS, RECIPE
from vlmd.core.answers import StoredAnswer, StoredWindow, Token
from vlmd.core.calibration import Calibration, FittedOn, Scaling
from vlmd.core.tasks.events import EventsTask
from vlmd.outputs.encoding import as_text
from vlmd.outputs.result import SCHEMA, Source
from vlmd.outputs.result import build as built

SOURCE = Source(
    job=1,
    pipeline="soccer",
    name="soccer/a.mkv",
    facts=FACTS,
    recipe=RECIPE,
    reused=0,
    created_at=1_700_000_000_000,
    started_at=1_700_000_001_000,
)
TASK = EventsTask(labels=["Goal", "Foul"], teams=["home", "away"], gap_ms=3000)
GOAL = '{"label": "Goal", "team": "home", "confidence": 0.9, "details": "from far"}'


def build(*arguments: Any) -> dict[str, Any]:
    return built(*arguments).document


def answer(text: str, **fields: Any) -> StoredAnswer:
    fields = {
        "tokens": [Token(0, -0.1)],
        "finish": "stop",
        "asked": RECIPE.digest(),
        "actual": RECIPE.digest(),
        "frame_times_ms": [0] * 15,
        "frames_asked": 15,
        "degraded": False,
        "frame_digest": "d",
        "prompt_tokens": 100,
        "new_tokens": 10,
        "worker": "cuda:0",
        "attempt": 1,
        "batch": 4,
        "prepare_ms": 5,
        "generate_ms": 6,
        "answered_at": 1_700_000_002_000,
        **fields,
    }
    return StoredAnswer(text=text, **fields)


def window(index: int, text: str | None, state: str = "answered", **fields: Any) -> StoredWindow:
    """Windows of three seconds every two seconds."""
    return StoredWindow(
        index=index,
        start_ms=index * 2000,
        end_ms=min(index * 2000 + 3000, 9000),
        state=state,
        failures=0,
        code="worker-lost" if state == "failed" else None,
        reason="it died" if state == "failed" else None,
        answer=None if text is None else answer(text, **fields),
    )


def test_events_are_merged_with_the_windows_that_saw_them() -> None:
    result = build(SOURCE, TASK, [window(0, "None"), window(1, GOAL), window(2, GOAL), window(3, "None")])
    (event,) = result["events"]
    assert (event["label"], event["team"], event["start_s"], event["end_s"]) == ("Goal", "home", 2.0, 5.0)
    assert [one["window"] for one in event["evidence"]] == [2]
    assert (result["schema"], result["video"]["sha256"], result["pipeline"]) == (SCHEMA, "f" * 64, "soccer")


def test_none_unparseable_and_events_are_never_mixed_up() -> None:
    texts = ["None", GOAL, "I see people on a lawn.", "None", GOAL[:40]]
    result = build(SOURCE, TASK, [window(index, text) for index, text in enumerate(texts)])
    counts = result["answers"]
    assert counts["events"] + counts["none"] + counts["unparseable"] == 5
    assert (counts["none"], counts["unparseable"], counts["share_unparseable"]) == (2, 1, 0.2)
    (unread,) = result["unparseable_windows"]
    assert (unread["window"], unread["start_s"], unread["text"]) == (2, 4.0, "I see people on a lawn.")
    summary = built(SOURCE, TASK, [window(index, text) for index, text in enumerate(texts)]).summary
    assert summary["windows_with_none"] == 2 and summary["unparseable"] == 1


def test_coverage_says_what_was_really_looked_at() -> None:
    windows = [
        window(0, "None"),
        window(1, None, "failed"),
        window(2, "None", frame_times_ms=[0] * 12),
        window(3, None, "queued"),
        window(4, "None", degraded=True),
    ]
    assert build(SOURCE, TASK, windows)["coverage"] == {
        "windows": 5,
        "answered": 3,
        "failed": 1,
        "pending": 1,
        "seen_s": 7.0,
        "share_of_video": 0.7778,
        "pictures_missing": 3,
        "degraded": 1,
    }


def test_a_failed_window_is_named_with_its_reason() -> None:
    result = build(SOURCE, TASK, [window(0, "None"), window(1, None, "failed")])
    assert result["failed_windows"] == [
        {"window": 1, "start_s": 2.0, "end_s": 5.0, "code": "worker-lost", "reason": "it died"}
    ]


def test_two_runs_differ_in_their_run_section_only() -> None:
    texts = [GOAL, "None", "what?", GOAL]
    once = build(SOURCE, TASK, [window(index, text) for index, text in enumerate(texts)])
    other_run = {
        "worker": "cpu:1",
        "attempt": 3,
        "batch": 1,
        "prepare_ms": 99,
        "generate_ms": 98,
        "answered_at": 1_800_000_000_000,
    }
    source = replace(SOURCE, job=7, reused=2, created_at=1_800_000_000_000, started_at=None)
    again = build(source, TASK, [window(index, text, **other_run) for index, text in enumerate(texts)])
    assert once.pop("run") != again.pop("run")
    assert as_text(once) == as_text(again)


def test_a_job_without_a_single_answer_has_a_result_that_says_so() -> None:
    result = build(SOURCE, TASK, [window(0, None, "failed")])
    assert (result["events"], result["coverage"]["share_of_video"], result["run"]["last_answer"]) == ([], 0.0, None)
    assert json.loads(as_text(result)) == result


def test_what_a_model_wrote_is_data_in_the_file() -> None:
    hostile = '{"label": "Goal", "details": "\\u0000\\u001b[2J\\"}], \\"events\\": [", "confidence": 1e999}'
    text = as_text(build(SOURCE, TASK, [window(0, hostile), window(1, "\x00\x1b" + "x" * 10_000)]))
    result = json.loads(text)
    assert "\x1b" not in text and "\0" not in text
    assert len(result["unparseable_windows"][0]["text"]) == 300


def test_events_below_the_threshold_of_their_label_are_listed_apart() -> None:
    scaling = Scaling(slope=1.0, intercept=0.0, threshold=0.5, examples=9, right=5)
    fitted = FittedOn(task="events", pipelines=[], models=[], videos=[], truth=[], matching="")
    labels = {"Foul": msgspec.structs.replace(scaling, intercept=-9.0)}
    calibration = Calibration(name="league", fitted_on=fitted, pooled=scaling, labels=labels, too_few={})
    texts = [GOAL, "None", GOAL.replace("Goal", "Foul")]
    result = built(SOURCE, TASK, [window(index, text) for index, text in enumerate(texts)], calibration)
    assert [event["label"] for event in result.document["events"]] == ["Goal"]
    assert [event["label"] for event in result.document["below_threshold"]] == ["Foul"]
    assert result.document["calibration"] == "league"
    assert (result.summary["found"], len(result.outcome.spans)) == ("1 event", 1)
    assert "below_threshold" not in build(SOURCE, TASK, [window(0, GOAL)])


def test_answers_are_not_kept_while_the_next_are_read() -> None:
    def peak(tokens: int) -> int:
        """Bytes at most while a result is built of windows with so many tokens each."""
        many = (window(at, GOAL + str(at), tokens=[Token(0, -0.1 * n) for n in range(tokens)]) for at in range(300))
        tracemalloc.start()
        try:
            built(SOURCE, TASK, many)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(tokens=512) < 1.5 * peak(tokens=1)
