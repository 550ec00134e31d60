"""From a dropped video to files of other formats: beside its result, and by `vlmd export` with and without a daemon."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import msgspec
import pytest
import webvtt

from tests.process.conftest import Film, job_done, making_daemons
from tests.process.test_command_line import refused, said, vlmd
from tests.supervisor.test_calibrations import LEAGUE
from tools.chaos_kit.stage import PIPELINE

SEASON = "england_epl/2015-2016/2015-08-16 - 18-00 City 3 - 0 Town"
Films = dict[str, Film]


def test_a_result_and_what_lies_beside_it(
    films: Films, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with making_daemons(tmp_path_factory.mktemp("export")) as make:
        daemon = make(pipeline={"outputs": ["srt", "vtt", "jsonl"]})
        daemon.stage.drop(films["one"].path)
        daemon.start()
        daemon.until(lambda: job_done(daemon), "the job is done")
        beside = {path.name: path for path in (daemon.stage.results / PIPELINE).iterdir()}
        assert beside.keys() == {"one.mp4.json", "one.mp4.srt", "one.mp4.vtt", "one.mp4.jsonl"}
        events = json.loads(beside["one.mp4.json"].read_text())["events"]
        assert len(webvtt.read(str(beside["one.mp4.vtt"]))) == len(events) > 0

        table, copy = tmp_path / "events.csv", tmp_path / "again.csv"
        assert said(daemon, "export", "1", "--format", "csv", "-o", str(table)) == {"written": [str(table)]}
        rows = list(csv.DictReader(table.open(newline="")))
        assert [float(row["start_s"]) for row in rows] == [event["start_s"] for event in events]
        shown = vlmd(daemon, "export", "1", "--format", "srt", "-o", "-")
        assert shown.stdout == beside["one.mp4.srt"].read_text()
        assert "cannot show" in refused(daemon, 2, "export", "1", "-f", "submission", "-o", str(tmp_path / "s.csv"))
        assert not (tmp_path / "s.csv").exists()

        assert daemon.stop() == 0
        without = vlmd(daemon, "export", "1", "-f", "csv", "-o", str(copy))
        assert without.returncode == 0 and "the daemon is not running" in without.stderr
        assert copy.read_text() == table.read_text()
        assert "there is no job 9" in refused(daemon, 4, "export", "9", "-f", "csv", "-o", "-")
        assert vlmd(daemon, "export", str(beside["one.mp4.json"]), "-f", "csv", "-o", "-").stdout == table.read_text()


def test_a_missing_calibration_fails_the_job_and_a_merge_makes_good_for_it(
    films: Films, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with making_daemons(tmp_path_factory.mktemp("calibration")) as make:
        daemon = make(pipeline={"calibration": "league"})
        daemon.stage.drop(films["one"].path)
        daemon.start()
        daemon.until(lambda: bool(daemon.jobs("failed")), "the job has failed")
        job = said(daemon, "show", "1")
        assert job["code"] == "merger-failed" and "calibration league of pipeline" in job["reason"]
        folder = daemon.stage.state / "calibrations"
        folder.mkdir()
        (folder / "league.json").write_bytes(msgspec.json.encode(LEAGUE))
        assert said(daemon, "retry", "1") == {"job": 1}
        daemon.until(lambda: job_done(daemon), "the job is done")
        (result,) = (daemon.stage.results / PIPELINE).glob("*.json")
        document = json.loads(result.read_text())
        assert document["calibration"] == "league"
        assert document["below_threshold"] and all(event["confidence"] < 0.5 for event in document["below_threshold"])
        assert all(event["confidence"] >= 0.5 for event in document["events"])


def test_two_halves_that_end_at_once_are_one_game(films: Films, tmp_path_factory: pytest.TempPathFactory) -> None:
    with making_daemons(tmp_path_factory.mktemp("game")) as make:
        daemon = make(pipeline={"outputs": ["csv", "soccernet"]})
        game = daemon.stage.inbox / SEASON
        game.mkdir(parents=True)
        for half in ("1_720p.mp4", "2_720p.mp4"):
            shutil.copy(films["one"].path, game / half)
        (game / "Labels-v2.json").write_text("{}")
        daemon.start()
        daemon.until(lambda: len(daemon.jobs("done")) == 2, "both halves are done")
        results = daemon.stage.results / PIPELINE / SEASON
        each = {f"{half}_720p.mp4.{suffix}" for half in (1, 2) for suffix in ("csv", "json")}
        assert {path.name for path in results.iterdir()} == {*each, "results_spotting.json"}
        found = json.loads((results / "results_spotting.json").read_text())
        assert found["UrlLocal"] == f"{SEASON}/"
        events = json.loads((results / "1_720p.mp4.json").read_text())["events"]
        assert [one["half"] for one in found["predictions"]] == ["1"] * len(events) + ["2"] * len(events)
        assert said(daemon, "status")["problems"] == []

        (results / "1_720p.mp4.json").write_text("{")
        assert said(daemon, "merge", "2") == {"job": 2}
        failed = daemon.until(lambda: daemon.jobs("failed"), "its game cannot be written")
        assert "1_720p.mp4.json is no result; move it away" in failed[0]["reason"]
