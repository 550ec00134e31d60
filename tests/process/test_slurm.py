"""The Slurm example, run by bash and signalled as Slurm signals it: it drains, and the next job goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.process.conftest import Film, StartDaemon, content_of, result_of
from tools.chaos_kit.daemon import ROOT
from tools.chaos_kit.stage import Stage

Films = dict[str, Film]
JOB = "42"


class Cluster:
    """What a node offers to one job: programs of these names, a local disk, and a folder that all nodes see."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.home = stage.folder / "home"
        self.local = stage.folder / "local"
        self.requeued = stage.folder / "requeued"
        self._programs = stage.folder / "bin"
        for folder in (self.local, self._programs):
            folder.mkdir()
        self._program("vlmd", f'exec {sys.executable} -m tests.process.command "$@"')
        self._program("python", f'exec {sys.executable} "$@"')
        self._program("squeue", "echo RUNNING")
        self._program("scontrol", f'echo "$@" >> {self.requeued}')

    def _program(self, name: str, script: str) -> None:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, restarts: int) -> subprocess.Popen[bytes]:
        """Start the batch script as the job's first process."""
        environment = {
            **self.stage.environment,
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "VLMD": str(self._programs / "vlmd"),
            "CONFIG": str(self.stage.config),
            "HOME_DB": str(self.home),
            "TMPDIR": str(self.local),
            "SLURM_JOB_ID": JOB,
            "SLURM_RESTART_COUNT": str(restarts),
        }
        with self.stage.log.open("ab") as log:
            return subprocess.Popen(
                ["bash", str(ROOT / "tools/slurm/vlmd.sbatch")], env=environment, cwd=ROOT, stdout=log, stderr=log
            )

    def count(self, query: str, database: str = "vlmd.db") -> int:
        with closing(sqlite3.connect(self.home / database)) as db:
            return int(db.execute(f"SELECT count(*) FROM {query}").fetchone()[0])


@pytest.fixture
def cluster(new_daemon: StartDaemon, tmp_path: Path) -> Cluster:
    stage = tmp_path / "stage0"
    paths = {name: str(stage / name) for name in ("inbox", "results")}
    return Cluster(new_daemon(paths=paths, model={"path": str(stage / "model")}).stage)


def test_it_drains_before_the_time_limit_and_the_next_job_goes_on(cluster: Cluster, films: Films) -> None:
    stage = cluster.stage
    stage.drop(films["long"].path)
    stage.save_script(seconds=0.1)
    job = cluster.start(restarts=0)
    deadline = time.monotonic() + 60
    while len(stage.asked()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == 1, stage.log.read_text()
    assert cluster.requeued.read_text() == f"requeue {JOB}\n"
    kept = cluster.count("answers")
    assert 0 < kept < 39
    assert kept == len(stage.asked()), "what was asked was answered and taken home"
    assert list(cluster.local.iterdir()) == []

    stage.save_script(seconds=0.0)
    assert cluster.start(restarts=1).wait(60) == 0, stage.log.read_text()
    assert content_of(result_of(stage, "long.mp4")) == films["long"].content
    assert cluster.count("answers") == len(stage.asked()), "nothing was asked twice"
    assert cluster.count("answers", "vlmd.db.last") == kept
    assert cluster.requeued.read_text() == f"requeue {JOB}\n", "everything is done"


def test_what_cannot_be_taken_home_is_left_where_it_is(cluster: Cluster, films: Films) -> None:
    stage = cluster.stage
    stage.drop(films["one"].path)
    (cluster.home / "vlmd.db.new" / "in the way").mkdir(parents=True)
    assert cluster.start(restarts=0).wait(60) == 1
    assert "could not be taken home" in stage.log.read_text()
    (left,) = cluster.local.iterdir()
    assert (left / "state" / "vlmd.db").exists()
    assert not cluster.requeued.exists()
