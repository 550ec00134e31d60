"""Whatever a model wrote survives every format, and no time drifts: what is written is read back by other readers."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from typing import Any

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from SoccerNet.Evaluation.ActionSpotting import predictions2vector

from tests.outputs.results_made import (
    BODIES,
    FIVE_HOURS_MS,
    HOSTILE,
    caption_documents,
    document,
    event,
    events_documents,
    moment,
)
from vlmd.core.errors import UsageError
from vlmd.core.formats import TASKS_OF
from vlmd.core.names import plain
from vlmd.outputs.formats import FORMATS, pieces
from vlmd.outputs.formats.cues import NO_TEXT, without_gaps
from vlmd.outputs.formats.soccernet import game_of

DOCUMENTS = st.one_of(events_documents(), caption_documents())
STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ufeff\ud800-\udfff]")


def text(name: str, *documents: dict[str, Any]) -> str:
    return "".join(pieces(FORMATS[name], documents))


def said(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Its moments, by time."""
    moments = result[BODIES[result["task"]["name"]]]
    return sorted(moments, key=lambda one: (round(one["start_s"] * 1000), round(one["end_s"] * 1000)))


def words(one: dict[str, Any]) -> str:
    return str(one.get("details") or one.get("text") or "")


@given(DOCUMENTS)
def test_no_format_lets_through_what_steers(result: dict[str, Any]) -> None:
    for name, fmt in FORMATS.items():
        if result["task"]["name"] in fmt.tasks:
            assert not STEERING.search(text(name, result)), name


@given(DOCUMENTS)
def test_json_is_the_document(result: dict[str, Any]) -> None:
    assert json.loads(text("json", result)) == result


@given(DOCUMENTS)
def test_lines_hold_one_moment_each_with_its_origin(result: dict[str, Any]) -> None:
    written = text("jsonl", result)
    lines = [json.loads(line) for line in written.splitlines()]
    assert written.count("\n") == len(lines) == len(said(result))
    for line, one in zip(lines, said(result), strict=True):
        assert (line["start_s"], line["end_s"], line["video"]) == (
            one["start_s"],
            one["end_s"],
            result["video"]["name"],
        )
        assert line.get("text", line.get("details")) == one.get("text", one.get("details"))
        assert (line["model"], line["recipe"], line["schema"]) == ("qwen", "d" * 64, "vlmd.result/1")


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_a_table_reads_back_and_holds_no_formula(results: list[dict[str, Any]]) -> None:
    written = text("csv", *results)
    header, *rows = csv.reader(io.StringIO(written, newline=""))
    expected = [(result, one) for result in results for one in said(result)]
    assert len(rows) == len(expected)
    for row, (result, one) in zip(rows, expected, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert cells["video"].removeprefix("'") == plain(result["video"]["name"])
        assert cells["text"].removeprefix("'") == plain(words(one))
        assert float(cells["start_s"]) == pytest.approx(one["start_s"], abs=1e-9)
        assert cells["confidence"] == ("" if one.get("confidence") is None else str(one["confidence"]))
        assert not any(re.match(r"[=@\t\r\n＝＠]|[+-](?![0-9.]+$)", cell) for cell in row)


@given(HOSTILE)
def test_one_apostrophe_off_gives_the_text_again(written: str) -> None:
    result = document("caption", [moment(0, 1000, text=written)])
    (row,) = csv.DictReader(io.StringIO(text("csv", result), newline=""))
    assert (row["text"][1:] if row["text"].startswith("'") else row["text"]) == plain(written)


@given(DOCUMENTS)
def test_subtitles_read_back_in_time(result: dict[str, Any]) -> None:
    vtt = webvtt.from_buffer(io.StringIO(text("vtt", result)))
    moments = said(result)
    srt = webvtt.from_buffer(io.StringIO(text("srt", result)), format="srt") if moments else []
    assert len(vtt) == len(srt) == len(moments)
    for cue, other, one in zip(vtt, srt, moments, strict=True):
        span = (milliseconds(cue.start), milliseconds(cue.end))
        assert span == (round(one["start_s"] * 1000), max(round(one["end_s"] * 1000), span[0] + 1))
        assert (milliseconds(other.start), milliseconds(other.end)) == span
        shown = html.unescape(cue.raw_text)
        assert without_gaps(plain(words(one))) in shown or shown == NO_TEXT
        assert "-->" not in other.raw_text and "<" not in other.raw_text


def milliseconds(stamp: str) -> int:
    hours, minutes, seconds = re.split("[:]", stamp)
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))) * 1000)


@pytest.mark.parametrize(
    ("ms", "stamp"),
    [(0, "00:00:00,000"), (3_600_001, "01:00:00,001"), (18_061_007, "05:01:01,007"), (360_000_000, "100:00:00,000")],
)
def test_times_beyond_hours(ms: int, stamp: str) -> None:
    result = document("events", [event(ms, ms + 2000)])
    assert stamp in text("srt", result) and stamp.replace(",", ".") in text("vtt", result)


@given(st.lists(st.tuples(st.integers(0, FIVE_HOURS_MS - 3000), st.floats(0, 1)), max_size=5))
def test_soccernet_reads_what_is_written(found: list[tuple[int, float]]) -> None:
    first = document(
        "events", [event(at, at + 3000, confidence=sure) for at, sure in found], name="soccer/l/s/g/1_x.mkv"
    )
    second = document("events", [event(60_000, 63_000)], name="soccer/l/s/g/2_x.mkv")
    game = json.loads(text("soccernet", second, first))
    assert game["UrlLocal"] == "l/s/g/"
    assert [one["half"] for one in game["predictions"]] == ["1"] * len(found) + ["2"]
    assert all(int(one["position"]) in {at + 1500 for at, _ in found} for one in game["predictions"][:-1])
    last = game["predictions"][-1]
    assert last == {"gameTime": "2 - 1:01", "label": "Goal", "position": "61500", "half": "2", "confidence": "0.9"}
    _, half = predictions2vector(game, num_classes=1, EVENT_DICTIONARY={"Goal": 0})
    assert half[123][0] == 0.9
    assert [one["recipe"] for one in game["vlmd"]] == ["d" * 64] * 2


@pytest.mark.parametrize(
    ("place", "game"),
    [
        ("epl/2014/a - b/1_224p.mkv", ("epl/2014/a - b/", 1)),
        ("/data/SoccerNet/epl/2014/a - b/2_224p.mkv", ("epl/2014/a - b/", 2)),
        ("1_224p.mkv", ("", 1)),
        ("cup/final.mkv", ("cup/final/", 1)),
        ("../..", ("video/", 1)),
    ],
)
def test_games_by_folders_and_halves_by_names(place: str, game: tuple[str, int]) -> None:
    assert game_of(place) == game


def test_one_spotting_file_is_of_one_game() -> None:
    one, other = (document("events", name=f"soccer/l/s/{game}/1_x.mkv") for game in "ab")
    with pytest.raises(UsageError, match="one game"):
        text("soccernet", one, other)
    with pytest.raises(UsageError, match="the same half"):
        text("soccernet", one, one)


def answered(id: str | None, answer: str | None) -> dict[str, Any]:
    inputs = {"id": id, "question": "Which?"}
    choice = {"answer": answer, "text": "the first", "confidence": 0.7, "reason": None if answer else "unlikely"}
    return document("choice", choice, inputs=inputs)


def test_a_question_without_an_answer_is_an_empty_cell() -> None:
    results = [answered("q1", "B"), answered("q2", None), answered("=q3", "A"), answered("-4", "C")]
    assert text("submission", *results) == "id,answer\r\nq1,B\r\nq2,\r\n'=q3,A\r\n-4,C\r\n"
    with pytest.raises(UsageError, match="q1"):
        text("submission", answered("q1", "A"), answered("q1", "B"))


def test_choices_in_tables_lines_and_label_studio() -> None:
    (row,) = csv.DictReader(io.StringIO(text("csv", answered("q", "B")), newline=""))
    assert (row["id"], row["answer"], row["text"], row["confidence"], row["start_s"]) == (
        "q",
        "B",
        "the first",
        "0.7",
        "",
    )
    assert json.loads(text("jsonl", answered("q", None)))["reason"] == "unlikely"
    (task,) = json.loads(text("labelstudio", answered("q", "B")))
    assert task["predictions"][0]["result"][0]["value"] == {"choices": ["the first"]}
    assert json.loads(text("labelstudio", answered("q", None)))[0]["predictions"][0]["result"] == []


@given(events_documents())
def test_the_list_of_earlier_scripts_reads_as_answers(result: dict[str, Any]) -> None:
    entries = json.loads(text("final_predictions", result))
    assert [entry["time"] for entry in entries] == [one["start_s"] for one in said(result)]
    for entry, one in zip(entries, said(result), strict=True):
        raw = json.loads(entry["raw"])
        assert (raw.get("label", ""), raw.get("details", "")) == (one["label"], one["details"])


@given(DOCUMENTS)
def test_frames_of_label_studio_and_fiftyone_lie_within_the_video(result: dict[str, Any]) -> None:
    (task,) = json.loads(text("labelstudio", result))
    (prediction,) = task["predictions"]
    regions = [item for item in prediction["result"] if item["type"] == "timelinelabels"]
    (detections,) = json.loads(text("fiftyone", result))["labels"].values()
    assert len(regions) == len(detections) == len(said(result))
    assert len({item["id"] for item in regions}) == len(regions)
    for region, detection, one in zip(regions, detections, said(result), strict=True):
        (frames,) = region["value"]["ranges"]
        first, last = detection["support"]
        assert (frames["start"], frames["end"]) == (first, last)
        assert 1 <= first <= last <= result["video"]["pictures"]
        fps = result["video"]["pictures"] / result["video"]["duration_s"]
        assert (first - 2) / fps < one["start_s"] + 1e-6 and last >= min(one["end_s"] * fps, first) - 1e-6
    assert "recipe dddddddddddd" in prediction["model_version"]


def test_frames_count_from_one() -> None:
    video = {"name": "soccer/a.mkv", "sha256": "f", "duration_s": 10.0, "pictures": 250}
    result = document("events", [event(0, 40), event(0, 1000), event(1000, 10_000)], video=video)
    (detections,) = json.loads(text("fiftyone", result))["labels"].values()
    assert [one["support"] for one in detections] == [[1, 1], [1, 25], [26, 250]]
    assert detections[0]["attributes"]["team"] == "home"


def test_a_format_that_cannot_show_a_task_says_which_can() -> None:
    for name, fmt in FORMATS.items():
        for task in {*BODIES, "choice"} - fmt.tasks:
            body = {"answer": "A"} if task == "choice" else []
            with pytest.raises(UsageError, match=f"{name} cannot show what the task {task} answers; these can: json"):
                text(name, document(task, body))


def test_every_format_has_its_tasks_and_a_suffix_of_its_own() -> None:
    assert FORMATS.keys() == TASKS_OF.keys()
    assert len({fmt.suffix for fmt in FORMATS.values()}) == len(FORMATS)


def test_one_result_a_file_where_a_file_holds_one() -> None:
    for name, fmt in FORMATS.items():
        if fmt.holds == "result":
            with pytest.raises(UsageError, match="holds one result"):
                text(name, document("events"), document("events"))


@pytest.mark.parametrize(
    "broken",
    [
        {"events": [{"start_s": -1, "end_s": 2}]},
        {"events": [{"start_s": 1e999, "end_s": 2}]},
        {"video": None},
        {"task": 3},
    ],
)
def test_what_somebody_edited_is_one_sentence(broken: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="not a whole result"):
        text("csv", {**document("events"), **broken})


def test_a_long_result_is_never_one_text() -> None:
    result = document("events", [event(at * 2000, at * 2000 + 3000, details="x" * 200) for at in range(9000)])
    for name, fmt in FORMATS.items():
        if "events" in fmt.tasks:
            sizes = [len(piece) for piece in pieces(fmt, [result])]
            assert max(sizes) < sum(sizes) / 5, name
