"""A merger that is killed, or refused by the disk, at each of its side effects leaves a whole result or none."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests import faults
from tools.chaos_kit import journal
from tools.chaos_kit.reference import head
from tools.chaos_kit.stage import PIPELINE, Stage
from vlmd.core.errors import Code
from vlmd.core.messages.merger import Discarded, Merged, MergeFailed, MergeJob
from vlmd.core.tasks.events import EventsTask
from vlmd.supervisor.merger import Outcome, run_merger

JOB = 1
OUTPUTS = ("json", "srt", "csv")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def expected(undisturbed: Stage) -> str:
    """What the result says, but for its run."""
    (name,) = [path for path in (undisturbed.results / PIPELINE).glob("*.json") if f'"job": {JOB},' in path.read_text()]
    return head(name)


async def merge(undisturbed: Stage, results: Path, wanted: bool = True) -> Outcome:
    task = EventsTask(labels=["Goal", "Yellow card", "Substitution"], teams=["home", "away"], gap_ms=3000)
    database, target = str(undisturbed.database), str(results / "season" / "game.json")

    async def answer() -> bool:
        return wanted

    request = MergeJob(
        database=database,
        job=JOB,
        task=task,
        inputs=None,
        root=str(results),
        target=target,
        outputs=("json", "srt", "csv"),
    )
    return await run_merger(request, answer)


def use(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def files(results: Path) -> list[str]:
    return sorted(path.name for path in results.rglob("*") if path.is_file())


def contents(results: Path) -> dict[str, str]:
    """What is published, without the run of the result itself."""
    published = [path for path in results.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.name: head(path) if path.suffix == ".json" else path.read_text() for path in published}


async def test_a_result_nobody_wants_any_more_is_never_put_there(undisturbed: Stage, results: Path) -> None:
    assert isinstance(await merge(undisturbed, results, wanted=False), Discarded)
    assert files(results) == []


async def test_killed_before_or_after_any_side_effect(
    undisturbed: Stage, results: Path, expected: str, shim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started again by the supervisor it would go on; here every start is killed, so that nothing is hidden. The result
    itself comes last: where it is, everything beside it is there, too."""
    monkeypatch.setattr("vlmd.supervisor.merger._STARTS", 1)
    use(monkeypatch, faults.environment(shim, results, only="vlmd.merger", JOURNAL=tmp_path / "journal"))
    assert isinstance(await merge(undisturbed, results), Merged)
    effects = list(journal.read(tmp_path / "journal"))
    kinds = [kind for kind, _ in itertools.groupby(effect.kind for effect in effects)]
    assert kinds == ["mkdir", *("create", "write", "sync") * 3, *("rename", "sync") * 3]
    whole = contents(results)
    assert whole.keys() == {"game.csv", "game.json", "game.srt"} and whole["game.json"] == expected
    monkeypatch.delenv("FAULTS_JOURNAL")
    for moment in [f"{number}:before" for number in range(1, len(effects) + 1)] + [f"{len(effects)}:after"]:
        for path in (results / "season").iterdir():
            path.unlink()
        monkeypatch.setenv("FAULTS_KILL", moment)
        outcome = await merge(undisturbed, results)
        assert isinstance(outcome, MergeFailed) and "SIGKILL" in outcome.failure.reason, moment
        left = contents(results)
        assert left.items() <= whole.items()
        assert "game.json" not in left or left == whole
        monkeypatch.delenv("FAULTS_KILL")
        assert isinstance(await merge(undisturbed, results), Merged)
        assert contents(results) == whole and len(files(results)) == 3


@pytest.mark.parametrize("fault", ["create:EROFS", "write:ENOSPC", "write:EDQUOT", "sync:EIO:1-1", "rename:EACCES"])
async def test_a_disk_that_refuses_is_not_the_jobs_fault(
    undisturbed: Stage, results: Path, shim: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    use(monkeypatch, faults.environment(shim, results, only="vlmd.merger", FAIL=fault))
    outcome = await merge(undisturbed, results)
    assert isinstance(outcome, MergeFailed) and outcome.failure.code == Code.RESULT_UNWRITABLE
    assert files(results) == []
