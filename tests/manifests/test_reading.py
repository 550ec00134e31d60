"""Manifests in the shapes of known data sets: every sample is read or named, whatever the file holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlmd.core.inputs import Inputs
from vlmd.manifests import Manifest, Refused, Sample, read_manifest

VIDEOS = os.environ.get("VLMD_TEST_VIDEOS")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
KEYS = ("video", "question", "choices", "conversations", "messages", "videos", "timestamps", "q_uid", "option 0", "qid")


def read(document: Any, suffix: str = ".json") -> Manifest:
    text = document if isinstance(document, str) else json.dumps(document)
    return read_manifest(text.encode(), suffix)


@pytest.mark.parametrize(("row", "sample"), [
    ({"video": "cat-cow/0019.mp4", "conversations": [
        {"from": "human", "value": "<video>\nEvaluate this."}, {"from": "gpt", "value": "Cat cow - slower."}]},
     Sample("cat-cow/0019.mp4", Inputs(question="Evaluate this.", truth="Cat cow - slower."))),
    ({"videos": ["a/1.mp4"], "messages": [{"role": "user", "content": "<video>Why?"},
                                          {"role": "assistant", "content": "So."}]},
     Sample("a/1.mp4", Inputs(question="Why?", truth="So."))),
    ({"id": "testa_0001", "question": "Đèn gì?", "choices": ["A. Đỏ", "B. Xanh: đậm"],
      "video_path": "videos/1.mp4", "support_frames": [4.433, 1.5], "answer": "B. Xanh: đậm"},
     Sample("videos/1.mp4", Inputs(id="testa_0001", question="Đèn gì?", choices=("Đỏ", "Xanh: đậm"),
                                   timestamps_ms=(1500, 4433), truth="B. Xanh: đậm"))),
    ({"q_uid": "0a", "option 0": "this", "option 1": "that"},
     Sample("0a", Inputs(id="0a", choices=("this", "that")))),
    ({"video": "x.mkv", "timestamps": [2], "prompt": "Look: {frames}"},
     Sample("x.mkv", Inputs(prompt="Look: {frames}", timestamps_ms=(2000,)))),
])  # fmt: skip
def test_the_shapes_of_data_sets(row: dict[str, Any], sample: Sample) -> None:
    for document in ([row], {"data": [row]}):
        assert read(document) == Manifest({1: sample})
    assert read(json.dumps(row) + "\n\n", ".jsonl") == Manifest({1: sample})


def test_next_qa() -> None:
    text = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n4,9,8,7,why,2,6,CH,p,q,r,s,t\n"
    inputs = Inputs(id="4_6", question="why", choices=("p", "q", "r", "s", "t"), truth="C")
    assert read(text, ".csv") == Manifest({1: Sample("4", inputs)})


def test_our_own_keys_in_a_csv() -> None:
    text = "id,video,question,choices,timestamps\nt1,a.mp4,Which?,red | green,1.5 4\nt2,b.mp4,,,\nt3,c.mp4,,,soon\n"
    found = read(text, ".csv")
    inputs = Inputs(id="t1", question="Which?", choices=("red", "green"), timestamps_ms=(1500, 4000))
    assert found.samples == {1: Sample("a.mp4", inputs), 2: Sample("b.mp4", Inputs(id="t2"))}
    assert found.refused[3].reason == "its moments are no numbers of seconds"


@pytest.mark.parametrize("moment", [10**400, float(10**300), -1, True])
def test_no_number_is_too_large_to_be_refused(moment: object) -> None:
    assert read([{"video": "a.mp4", "timestamps": [moment]}]).refused[1].reason.startswith("its moments are no ")
    assert read([{"video": "a.mp4", "timestamps": None, "choices": None}]).samples[1].inputs == Inputs()


@pytest.mark.skipif(VIDEOS is None, reason="VLMD_TEST_VIDEOS is not set")
def test_real_files() -> None:
    folder = Path(str(VIDEOS)) / "annotations"
    for name, suffix in (("nextqa_val.csv", ".csv"), ("egoschema_questions_preview.json", ".json"),
                         ("mllm_video_demo.json", ".json")):  # fmt: skip
        found = read_manifest((folder / name).read_bytes(), suffix)
        assert len(found.samples) > 2 and not found.refused and found.problem is None, (name, found.refused)


@pytest.mark.parametrize(("row", "told"), [
    ({"colour": 1}, "it is of no known shape; it has colour"),
    (7, "it is no object"),
    ({"video": 1.5}, "its video is no text"),
    ({"video": "a", "choices": ["x"]}, "its choices are not 2 to 26 texts"),
    ({"video": "a", "choices": ["x", ""]}, "its choices are not 2 to 26 texts"),
    ({"video": "a", "timestamps": [-1]}, "its moments are no seconds of a video"),
    ({"video": "a", "timestamps": ["1"]}, "its moments are no numbers of seconds"),
    ({"video": "a", "question": "x" * 9000}, "its question is longer than 8000 characters"),
])  # fmt: skip
def test_a_wrong_sample_is_named_and_the_others_count(row: object, told: str) -> None:
    fine, video = {"video": "b", "id": "b"}, row.get("video") if isinstance(row, dict) else None
    refused = Refused(None, video if isinstance(video, str) else "", told)
    assert read([row, fine]) == Manifest({2: Sample("b", Inputs(id="b"))}, {1: refused})


@pytest.mark.parametrize(("row", "name", "video"), [
    ({"id": "t6", "question": "?", "choices": ["A. one"], "video_path": "c/1.mp4"}, "t6", "c/1.mp4"),
    ({"q_uid": "0a", "option 0": "this"}, "0a", "0a"),
    ({"video": "4", "qid": "6", "question": "?", "a0": "x", "a1": None}, "4_6", "4"),
])  # fmt: skip
def test_a_wrong_sample_keeps_its_name(row: dict[str, Any], name: str, video: str) -> None:
    refused = read([row]).refused[1]
    assert (refused.name, refused.video) == (name, video)


def test_a_line_that_was_cut_is_wrong_by_itself() -> None:
    found = read('{"video": "a"}\n{"video": "b"}\n{"vid', ".jsonl")
    assert [one.video for one in found.samples.values()] == ["a", "b"]
    assert found.refused[3].reason.startswith("it does not parse as JSON: ")


@pytest.mark.parametrize(("text", "told"), [
    ("{", "it does not parse as JSON"), ("[]", "it holds no sample"), ("3", "it holds no sample"),
    ("[" * 100_000, "it does not parse as JSON"), ('{"video": NaN}', "it does not parse as JSON: NaN is no number"),
])  # fmt: skip
def test_what_is_no_manifest_is_told(text: str, told: str) -> None:
    found = read(text)
    assert not found.samples and str(found.problem).startswith(told)
    assert read_manifest(b"\xff\xfe", ".json") == Manifest(problem="it is not UTF-8")


def test_the_first_samples_and_no_name_twice() -> None:
    rows = [{"video": f"{at}", "id": str(at % 3)} for at in range(5)]
    found = read(rows)
    assert [one.video for one in found.samples.values()] == ["0", "1", "2"]
    assert {number: one.reason for number, one in found.refused.items()} == {
        4: "there was a sample 0 before", 5: "there was a sample 1 before"}  # fmt: skip
    assert len(read_manifest(json.dumps(rows).encode(), ".json", 2).samples) == 2


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # its first draw takes long on a busy machine
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), max_size=5))
def test_every_row_is_a_sample_or_a_sentence(rows: list[dict[str, Any]]) -> None:
    found = read(json.dumps(rows, allow_nan=False, default=str) if _finite(rows) else "[]")
    assert sorted({**found.samples, **found.refused}) == list(range(1, len(rows) + 1 if _finite(rows) else 1))
    assert (found.problem is None) == bool(_finite(rows) and rows)


def _finite(rows: Any) -> bool:
    try:
        json.dumps(rows, allow_nan=False)
    except ValueError:
        return False
    return True


@given(st.binary(max_size=200), st.sampled_from([".json", ".jsonl", ".csv"]))
def test_no_bytes_raise(data: bytes, suffix: str) -> None:
    found = read_manifest(data, suffix)
    assert found.samples or found.refused or found.problem
