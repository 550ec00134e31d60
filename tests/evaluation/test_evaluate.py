"""From result documents and truth files to a report, through the readers of every shape."""

import json
from pathlib import Path

import msgspec
import pytest

from vlmd.core.errors import UsageError
from vlmd.evaluation.evaluate import Options, evaluate
from vlmd.evaluation.fitting import fitted
from vlmd.evaluation.report import from_document
from vlmd.evaluation.texts.meteor import WITHOUT, meteor
from vlmd.evaluation.texts.words import exercise, rouge_l, same_exercise
from vlmd.evaluation.truth.kinds import stem
from vlmd.evaluation.truth.reading import read_truth

GAME = "england_epl/2014-2015/2015-05-17 - 18-00 Manchester United 1 - 1 Arsenal"


def document(video="a.mp4", task="events", model="m", inputs=None, answers=None, **body):
    return {
        "schema": "vlmd.result/1",
        "video": {"name": video, "sha256": video * 3, "duration_s": 100.0},
        "pipeline": "match",
        "task": {"name": task, "labels": ["Goal", "Foul"]},
        "model": {"name": model, "family": "f", "revision": "r", "precision": "nf4"},
        "inputs": inputs,
        "coverage": {"windows": 4, "answered": 4, "failed": 0, "pending": 0, "share_of_video": 1.0},
        "answers": answers or {"events": 2, "none": 2, "unparseable": 0, "repaired": 0},
        "doubts": [],
        **body,
    }


def event(start_s, label="Goal", confidence=0.9):
    return {"start_s": start_s, "end_s": start_s + 3, "label": label, "team": None, "confidence": confidence}


def write(path: Path, what) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what if isinstance(what, str) else json.dumps(what))
    return path


def truth_of(path: Path, video="a.mp4", label="Goal", start_s=10.0, **more) -> Path:
    events = [{"start_s": start_s, "end_s": start_s + 3, "label": label, "team": None}]
    return write(path, {"schema": "vlmd.truth/1", "video": {"name": video, **more}, "events": events})


def report_of(results, *paths, against=(), **options):
    truths, notes = read_truth(paths) if paths else ([], [])
    named = [(f"r{number}", one) for number, one in enumerate(results)]
    others = [(f"b{number}", one) for number, one in enumerate(against)]
    return evaluate(named, others, truths, notes, Options(**options))[0]


def figures(report):
    return {figure.name: figure.value for figure in report.evaluations[0].figures}


def test_the_example_is_a_report():
    example = Path(__file__).with_name("example.json")
    assert from_document(json.loads(example.read_text())).evaluations


def test_events_beside_rendered_truth(tmp_path):
    report = report_of([document(events=[event(11), event(50)])], truth_of(tmp_path / "t.json"))
    assert figures(report)["precision"] == 0.5
    assert figures(report)["recall"] == 1.0
    assert [row.kind for row in report.evaluations[0].samples[0].events] == ["matched", "false"]
    assert from_document(msgspec.to_builtins(report)) == report


def test_the_halves_of_a_soccernet_game_find_their_labels(tmp_path):
    annotations = [
        {"gameTime": "1 - 00:11", "label": "Goal", "position": "11500", "visibility": "visible", "team": "home"},
        {"gameTime": "2 - 00:40", "label": "Foul", "position": "40000", "visibility": "not shown", "team": "away"},
    ]
    write(tmp_path / GAME / "Labels-v2.json", {"UrlLocal": f"{GAME}/", "annotations": annotations})
    halves = [
        document(f"{GAME}/1_720p.mkv", events=[event(10)]),
        document(f"{GAME}/2_720p.mkv", events=[event(39, "Foul")]),
    ]
    report = report_of(halves, tmp_path)
    assert figures(report)["f1"] == 1.0
    assert len(report.evaluations[0].events.loose.per_label) == 17
    assert report.evaluations[0].events.loose.visible is not None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: truth_of(p, label="Corners"), "does not know: Corners; it knows Goal, Foul"),
        (lambda p: truth_of(p, start_s=500.0), "has an event at 500 s"),
        (lambda p: truth_of(p, sha256="ff" * 32), "truth of another video"),
        (lambda p: truth_of(p, video="other.mp4"), "the truth is of other.mp4"),
        (lambda p: write(p, "{"), "does not parse"),
        (lambda p: write(p, {"a": []}), "no truth that vlmd can read"),
        (lambda p: write(p, {"annotations": [{"gameTime": "1", "label": "X", "position": "1"}]}), "SoccerNet does not"),
        (lambda p: write(p, {"annotations": [{"gameTime": "1", "label": "Goal", "position": "x"}]}), "position"),
    ],
)
def test_bad_truth_is_one_sentence(tmp_path, make, words):
    path = make(tmp_path / "truth.json")
    with pytest.raises(UsageError, match=words) as raised:
        report_of([document(events=[event(10)])], path)
    assert "\n" not in str(raised.value)


def test_unknown_labels_can_be_left_out_and_that_is_told(tmp_path):
    path = truth_of(tmp_path / "t.json", label="Corners")
    report = report_of([document(events=[])], path, known_labels=True)
    assert "1 true events were left out" in report.notes[0]


def test_a_result_without_truth_is_named_and_the_rest_goes_on(tmp_path):
    report = report_of([document(events=[]), document("b.mp4", events=[])], truth_of(tmp_path / "t.json"))
    assert [(one.name, one.reason) for one in report.skipped] == [("r1", "there is no truth for it")]


def test_nothing_but_none_is_evaluated_and_said_first(tmp_path):
    nothing = document(events=[], answers={"none": 4, "unparseable": 0})
    report = report_of([nothing], truth_of(tmp_path / "t.json"))
    assert report.says[0] == "match, m: every one of 4 windows answered none"
    assert figures(report)["recall"] == 0.0


def test_two_models_on_the_same_videos(tmp_path):
    paths = [truth_of(tmp_path / f"{k}.json", video=f"{k}.mp4") for k in range(6)]
    good = [document(f"{k}.mp4", events=[event(10)]) for k in range(6)]
    bad = [document(f"{k}.mp4", events=[event(60)], model="worse") for k in range(6)]
    for one, another in zip(good, bad, strict=True):  # dropped into the folders of two pipelines
        one["video"]["name"], another["video"]["name"] = (
            f"{pipeline}/{one['video']['name']}" for pipeline in ("a", "b")
        )
    f1 = next(one for one in report_of(good, *paths, against=bad).comparisons if one.figure == "f1")
    assert (f1.difference, f1.units, f1.p) == (1.0, 6, 2 / 64)


def choice(video, answer, qid, choices=("red", "green", "blue")):
    index = None if answer is None else "ABC".index(answer)
    chosen = {"answer": answer, "index": index, "confidence": 0.8, "reason": None if answer else "it said nothing"}
    inputs = {"id": qid, "question": "what?", "choices": list(choices)}
    return document(video, "choice", inputs=inputs, choice=chosen)


def test_choices_beside_csv_and_unanswered_ones_apart(tmp_path):
    path = write(tmp_path / "answers.csv", "id,answer\nq1,A\nq2,C\nq3,B\n")
    results = [choice("1.mp4", "A", "q1"), choice("2.mp4", "B", "q2"), choice("3.mp4", None, "q3")]
    report = report_of(results, path)
    assert figures(report) == {"accuracy": 1 / 3, "accuracy_answered": 1 / 2}
    assert report.evaluations[0].choice.reasons == {"it said nothing": 1}


def test_choices_beside_nextqa_egoschema_and_roadbuddy(tmp_path):
    csv = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2\n77,1,1,1,what?,2,6,CH,red,green,blue\n"
    nextqa = report_of([choice("77.mp4", "C", None)], write(tmp_path / "n.csv", csv))
    assert nextqa.evaluations[0].choice.types[0].type == "CH"
    assert figures(nextqa)["accuracy"] == 1.0
    ego = report_of([choice("x.mp4", "C", "u-1")], write(tmp_path / "e.json", {"u-1": 2}))
    assert figures(ego)["accuracy"] == 1.0
    road = {"data": [{"id": "t1", "choices": ["A. red", "B. green"], "answer": "B. green", "video_path": "v/x.mp4"}]}
    assert figures(report_of([choice("x.mp4", "B", "t1")], write(tmp_path / "r.json", road)))["accuracy"] == 1.0


def test_the_truth_in_the_results_will_do():
    mine = choice("1.mp4", "B", "q1")
    mine["inputs"]["truth"] = "green"
    assert figures(report_of([mine]))["accuracy"] == 1.0


def test_an_answer_that_is_no_choice_is_an_error(tmp_path):
    path = write(tmp_path / "answers.csv", "id,answer\nq1,F\n")
    with pytest.raises(UsageError, match="the answer F is none of 3 choices"):
        report_of([choice("1.mp4", "A", "q1")], path)


def test_texts_and_the_exercises_they_name(tmp_path):
    chats = [
        {"video": f"x/{k}.mp4", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": said}]}
        for k, said in enumerate(["Cat-cow pose - Keep your arms straight.", "Squat - Go down."])
    ]
    results = [
        document(f"{k}.mp4", "feedback", feedback=[{"name": name, "text": text}])
        for k, (name, text) in enumerate([("cat cow pose", "Keep your arms straight."), ("Lunge", "Up.")])
    ]
    report = report_of(results, write(tmp_path / "qved.json", chats))
    assert figures(report)["exercise"] == 0.5
    assert [row.exercise for row in report.evaluations[0].texts.exercises] == ["Cat-cow pose", "Squat"]
    assert report.evaluations[0].samples[0].text.scores["rouge_l"] > 0.6


def test_scores_of_texts():
    title, score = meteor(None)
    assert title == WITHOUT
    assert score("the quick dogs", "no shared words at all") == 0.0
    assert score("dogs run", "dog runs") > 0.8
    assert rouge_l("the cat sat", "the cat lay") == pytest.approx(2 / 3)
    assert rouge_l("", "the cat") == 0.0
    assert exercise("one-arm row - slower") == "one-arm row"
    assert exercise("no name here") is None
    assert same_exercise("One_Arm Row", "one-arm row")


def test_names_of_videos_without_their_suffix():
    assert [stem(name) for name in ("a/b.mp4", "4010069381", "x.y.mkv")] == ["b", "4010069381", "x.y"]


def test_a_calibration_says_what_it_was_fitted_on(tmp_path):
    found = [event(10 + 0.01 * k, confidence=k / 40) for k in range(40)]
    truths, _ = read_truth([truth_of(tmp_path / "t.json")])
    _, groups = evaluate([("r", document(events=found))], [], truths, [], Options())
    calibration, told = fitted("x", "x.json", groups)
    assert calibration.fitted_on.videos == ["a.mp4"]
    assert told.ece_after < told.ece_before
    assert "flatters" in told.says[0]
    with pytest.raises(UsageError, match="takes 20"):
        fitted("x", "x.json", [])
