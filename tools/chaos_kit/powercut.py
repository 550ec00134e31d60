"""Power cuts: a real daemon is recorded, killed now and then, and its disk is looked at as it may be after a cut."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import faults
from vlmd.core.errors import StoreError
from vlmd.store import Store

from . import journal
from .daemon import Daemon
from .disk import Disk
from .stage import Stage, set_up

logger = logging.getLogger("powercut")
_MODULE = "tests.faults.daemon"
_RUN_SECONDS = 600.0


@dataclass
class Recording:
    """Where it lies, what lay there before, and everything that happened."""

    stage: Stage
    before: Disk
    effects: list[journal.Effect]

    @property
    def folders(self) -> tuple[Path, Path]:
        return self.stage.state, self.stage.results


@dataclass
class Found:
    """After all cuts."""

    cuts: int = 0
    acknowledged: int = 0
    """What had been acknowledged before the cuts, summed up."""
    lost: list[str] = field(default_factory=list)


def record(folder: Path, library: Path, films: Sequence[Path], kills: Sequence[int], synchronous: int = 2) -> Recording:
    """A run over `films`, whose supervisor is killed after so many side effects each, and then to the end."""
    stage = set_up(folder, 2)
    daemon = Daemon(stage, [_MODULE, str(stage.config)])
    try:
        _run(daemon, {})
        recording = Recording(stage, Disk([stage.state, stage.results]), [])
        for film in films:
            stage.drop(film)
        environment = faults.environment(
            library, *recording.folders, JOURNAL=folder / "journal", SYNCHRONOUS=synchronous
        )
        for number in kills:
            _run(
                daemon, {**environment, "FAULTS_KILL": f"{number}:after", "FAULTS_ONLY": f"-m {_MODULE} "}, killed=True
            )
        _run(daemon, environment)
    finally:
        daemon.close()
    recording.effects = list(journal.read(folder / "journal"))
    return recording


def cut(recording: Recording, count: int, seed: int, scratch: Path) -> Found:
    """Cut the power at `count` random moments, and look each time what is left: half the cuts lose everything that
    was not synced, the other half keep a random part of it."""
    dice = random.Random(seed)
    moments = sorted(dice.randint(1, len(recording.effects)) for _ in range(count))
    found, said = Found(), list[dict[str, Any]]()
    done = 0
    for number, moment in enumerate(moments):
        for effect in recording.effects[done:moment]:
            recording.before.happen(effect)
            said += effect.said
        done = moment
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        recording.before.after_cut(scratch, recording.stage.folder, dice if number % 2 else None)
        found.cuts += 1
        found.acknowledged += _things(said)
        found.lost += [f"cut at {moment}: {sentence}" for sentence in asyncio.run(_look(scratch, said))]
        if number % 100 == 99:
            logger.info("%d of %d cuts, %d things lost", number + 1, count, len(found.lost))
    return found


async def _look(scratch: Path, said: Sequence[dict[str, Any]]) -> list[str]:
    """Open what is left as the daemon would; what of the acknowledged is not there, and what is there by halves."""
    database = scratch / "state" / "vlmd.db"
    try:
        store = await Store.open(database)
        await store.close()
    except (StoreError, sqlite3.Error) as error:
        return [f"the database cannot be opened: {error}"]
    with closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        damage = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return damage + _lost(db, said) + _without_result(db, scratch / "results")


def _lost(db: sqlite3.Connection, said: Sequence[dict[str, Any]]) -> list[str]:
    answered = {
        (lease, idx)
        for lease, idx in db.execute(
            "SELECT leases.id, windows.idx FROM windows JOIN leases USING (job_id) WHERE windows.state = 'answered'"
        )
    }
    states = dict(db.execute("SELECT id, state FROM jobs").fetchall())
    lost = []
    for line in said:
        lost += [f"answer {pair} is gone" for pair in map(tuple, line.get("answers", [])) if pair not in answered]
        lost += [f"job {job} is gone" for job in line.get("jobs", []) if job not in states]
        if "done" in line and states.get(line["done"]) != "done":
            lost.append(f"job {line['done']} is not done any more")
    return lost


def _without_result(db: sqlite3.Connection, results: Path) -> list[str]:
    """Jobs that are done have their results, whole; whatever is called a result is one."""
    bad = []
    for (name,) in db.execute("SELECT result FROM jobs WHERE state = 'done'"):
        if not (results / f"{name}.json").exists():
            bad.append(f"{name} is done and has no result")
    for path in results.rglob("*.json"):
        try:
            if not path.name.startswith("."):
                json.loads(path.read_text())["run"]
        except (ValueError, KeyError):
            bad.append(f"{path.name} is not whole")
    return bad


def kinds(recording: Recording) -> str:
    """How often what happened."""
    counts = Counter(effect.kind for effect in recording.effects)
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def _things(said: Sequence[dict[str, Any]]) -> int:
    return sum(len(line.get("answers", [1])) for line in said)


def _run(daemon: Daemon, environment: dict[str, str], killed: bool = False) -> None:
    daemon.start("--once", environment=environment)
    code = daemon.wait(_RUN_SECONDS)
    if code != 0 and not (killed and code == -signal.SIGKILL):
        raise AssertionError(f"the daemon ended with {code}:\n{daemon.log[-3000:]}")
