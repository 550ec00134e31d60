"""`vlmd evaluate`, `compare`, `report` and `import` as they are typed: what they print, write, and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from msgspec.structs import replace

from tests.outputs.test_result import GOAL, SOURCE, TASK, window
from vlmd.outputs.result import build


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Results of two pipelines on one video, the truth, and answers that another program kept."""
    (tmp_path / "config.toml").write_text(
        '[paths]\ninbox = "inbox"\nresults = "results"\nstate = "state"\n[models.m]\npath = "vlmd-demo"\n'
        + "".join(f'[pipelines.{name}]\nmodel = "m"\nlabels = ["Goal"]\n' for name in ("fast", "slow", "empty"))
    )
    for pipeline, found in (("fast", (0,)), ("slow", (0, 2))):
        windows = [window(at, GOAL if at in found else "None") for at in range(4)]
        result = build(replace(SOURCE, pipeline=pipeline), TASK, windows).document
        write(tmp_path / f"results/{pipeline}/a.mkv.json", result)
    spans = [(event["start_s"], event["end_s"]) for event in result["events"]]
    events = [{"start_s": start, "end_s": end, "label": "Goal", "team": None} for start, end in spans]
    truth = {"schema": "vlmd.truth/1", "video": {"name": "a.mkv"}, "events": events}
    write(tmp_path / "truth.json", truth)
    raw = [{"time": second, "raw": "None" if second % 4 else "nonsense"} for second in range(0, 20, 2)]
    write(tmp_path / "final_predictions_m_1_720p.json", raw)
    return tmp_path


def write(path: Path, what: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what))


def vlmd(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vlmd", "-c", str(here / "config.toml"), *words]
    return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=90)


def said(here: Path, *words: str) -> Any:
    ran = vlmd(here, *words, "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def refused(here: Path, *words: str) -> str:
    ran = vlmd(here, *words)
    assert (ran.returncode, ran.stdout) == (2, "") and "Traceback" not in ran.stderr, ran
    return ran.stderr


def test_a_pipeline_beside_the_truth_and_beside_another(here: Path) -> None:
    found = said(here, "evaluate", "fast", "--against", "slow", "--truth", "truth.json")
    figures = {
        one["title"]: {figure["name"]: figure["value"] for figure in one["figures"]} for one in found["evaluations"]
    }
    assert len(figures) == 2
    assert sorted(round(one["f1"], 3) for one in figures.values()) == [0.667, 1.0]
    told = vlmd(here, "evaluate", "results/fast/a.mkv.json", "--truth", "truth.json")
    assert told.returncode == 0 and "Goal" in told.stdout and "0.667" in told.stdout
    assert "a calibration takes 20" in refused(here, "evaluate", "slow", "--truth", "truth.json", "--fit", "league")


def test_models_on_the_same_video_are_compared(here: Path) -> None:
    found = said(here, "compare", "fast", "slow")
    assert [(one["both"], one["only_a"], one["only_b"]) for one in found["pairs"]] in ([(1, 0, 1)], [(1, 1, 0)])
    assert [one["start_s"] for one in found["disagreements"]] == [4.0]
    told = vlmd(here, "compare", "results")
    assert told.returncode == 0 and "0:04" in told.stdout


def test_a_report_is_a_page_and_a_workbook(here: Path) -> None:
    written = said(here, "report", "slow", "--truth", "truth.json", "--output", "out")
    assert "Goal" in Path(here / written["html"]).read_text()
    assert len(openpyxl.load_workbook(here / written["excel"]).sheetnames) > 2


def test_answers_of_another_program_become_results(here: Path) -> None:
    (told,) = said(here, "import", "final_predictions_m_1_720p.json", "--duration", "21")
    assert told["answers"]["none"] == told["answers"]["unparseable"] == 5 and told["coverage"]["windows"] == 10
    shown = vlmd(here, "import", "final_predictions_m_1_720p.json")
    assert shown.returncode == 0 and "how many events remain" in shown.stdout
    assert "the truth is of a.mkv" in refused(here, "evaluate", "imported", "--truth", "truth.json")
    assert vlmd(here, "import", "final_predictions_m_1_720p.json", "--video", "a.mkv").returncode == 0
    (evaluated,) = said(here, "evaluate", "imported", "--truth", "truth.json")["evaluations"]
    assert evaluated["title"] == "imported, m_1_720p" or evaluated["pipeline"] == "imported"


def test_what_cannot_be_done_is_one_sentence(here: Path) -> None:
    assert "are results of one model" in refused(here, "compare", "fast")
    assert "there is no result in" in refused(here, "compare", "empty", "slow")
    assert "cannot be read: No such file" in refused(here, "evaluate", "nothing", "--truth", "truth.json")
    assert "is no result of vlmd" in refused(here, "report", "truth.json")
    (here / "broken.json").write_text("{")
    assert "broken.json" in refused(here, "evaluate", "fast", "--truth", "broken.json")
    assert "broken.json" in refused(here, "import", "broken.json")
    assert "cannot name a calibration" in refused(here, "evaluate", "slow", "--truth", "truth.json", "--fit", "../x")
    (here / "file").write_text("")
    assert "file/out cannot be written" in refused(here, "report", "slow", "--output", "file/out")
