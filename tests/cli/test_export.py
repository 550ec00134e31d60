"""Where exported files go, what is never overwritten, and that several results fit where they can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.outputs.results_made import document, event
from vlmd.cli.export import export
from vlmd.config import Given


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def stored(folder: Path, name: str, **fields: Any) -> str:
    path = folder.parent / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = document("events", [event(2000, 5000)], name=f"soccer/{name}.mkv", **fields)
    path.parent.joinpath(f"{name.replace('/', '_')}.json").write_text(json.dumps(result))
    return str(path.parent.joinpath(f"{name.replace('/', '_')}.json"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(export, list(arguments), obj=Given(None, ()))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_named_after_its_video(here: Path) -> None:
    assert run(stored(here, "match"), "-f", "srt").exit_code == 0
    assert files(here) == {"match.mkv.srt"}


def test_what_is_there_is_replaced_only_by_name(here: Path) -> None:
    (here / "match.mkv.srt").write_text("mine")
    result = stored(here, "match")
    assert "is there already" in str(run(result, "-f", "srt").exception)
    assert (here / "match.mkv.srt").read_text() == "mine"
    assert run(result, "-f", "srt", "-o", "match.mkv.srt").exit_code == 0
    assert "Goal" in (here / "match.mkv.srt").read_text()


def test_several_results_go_into_a_table_or_a_folder(here: Path) -> None:
    results = [stored(here, name) for name in ("a", "b")]
    assert run(*results, "-f", "csv").exit_code == 0
    assert run(*results, "-f", "vtt", "-o", str(here)).exit_code == 0
    assert files(here) == {"results.csv", "a.mkv.vtt", "b.mkv.vtt"}
    assert (here / "results.csv").read_text().count("\n") == 3
    assert "do not fit stdout" in str(run(*results, "-f", "srt", "-o", "-").exception)


def test_two_results_never_share_a_file(here: Path) -> None:
    results = [stored(here, f"{folder}/match") for folder in "ab"]
    assert "two of the results would be written to" in str(run(*results, "-f", "srt").exception)
    assert "two of the results would be written to" in str(run(*results, "-f", "srt", "-o", "one.srt").exception)


def test_halves_are_grouped_into_games_in_their_folders(here: Path) -> None:
    results = [stored(here, f"epl/2014/{game}/{half}_720p") for game in "xy" for half in (2, 1)]
    assert run(*results, "-f", "soccernet", "-o", "spotting").exit_code == 0
    paths = {f"spotting/epl/2014/{game}/results_spotting.json" for game in "xy"}
    assert files(here) == paths
    for path in paths:
        spotted = json.loads((here / path).read_text())
        assert path == f"spotting/{spotted['UrlLocal']}results_spotting.json"
        assert [one["half"] for one in spotted["predictions"]] == ["1", "2"]
    assert run(*results[:2], "-f", "soccernet", "-o", "one.json").exit_code == 0
    assert (here / "one.json").is_file()


def test_a_result_so_far_is_told_of(here: Path) -> None:
    unfinished = {"windows": 44, "answered": 32, "failed": 0, "pending": 12}
    told = run(stored(here, "match", coverage=unfinished), "-f", "csv")
    assert "is so far only: 12 windows are still to be answered" in told.output
    assert files(here) == {"match.mkv.csv"}


def test_what_a_video_is_called_never_leaves_the_folder(here: Path) -> None:
    evil = document("events", [], name="soccer/../../\x1b[2J.mkv")
    (here.parent / "evil.json").write_text(json.dumps(evil))
    assert run(str(here.parent / "evil.json"), "-f", "csv").exit_code == 0
    assert run(str(here.parent / "evil.json"), "-f", "soccernet").exit_code == 0
    assert len(files(here)) == 2 and not any("\x1b" in name for name in files(here))
