"""Real daemons in scratch folders, with scripted workers, over films that are rendered once a session."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tools.chaos_kit import daemon as daemons
from tools.chaos_kit import reference, videos
from tools.chaos_kit.daemon import Daemon
from tools.chaos_kit.stage import PIPELINE, Stage, set_up

StartDaemon = Callable[..., Daemon]
LENGTHS = {"one": 12, "two": 12, "long": 20}
"""Films, in seconds."""


@dataclass(frozen=True)
class Film:
    """A film, and what a result of it says when nobody disturbs the daemon."""

    path: Path
    head: str

    @property
    def content(self) -> str:
        """The expected result from where it stops depending on the video's name."""
        return after_name(self.head)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A daemon that ran over `one` and `two` of 12 s and `long` of 20 s with nobody in its way."""
    folder = tmp_path_factory.mktemp("films")
    paths = [
        videos.render(folder / f"{name}.mp4", seconds, seed) for seed, (name, seconds) in enumerate(LENGTHS.items())
    ]
    return reference.make(folder / "undisturbed", "scripted", paths, workers=2)


@pytest.fixture(scope="session")
def films(undisturbed: Stage) -> dict[str, Film]:
    """The films by name."""
    names = {name: f"{name}.mp4" for name in LENGTHS}
    heads = {name: reference.head(result_of(undisturbed, file)) for name, file in names.items()}
    return {name: Film(undisturbed.inbox / file, heads[name]) for name, file in names.items()}


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that puts faults of the disk under a process."""
    try:
        return faults.build(tmp_path_factory.mktemp("shim"))
    except faults.NoCompiler as error:
        pytest.skip(str(error))


@pytest.fixture
def new_daemon(tmp_path: Path) -> Iterator[StartDaemon]:
    """Makes a stage below the test's folder and a daemon on it, not started yet; nothing of it outlives the test."""
    with making_daemons(tmp_path) as make:
        yield make


@contextlib.contextmanager
def making_daemons(folder: Path) -> Iterator[StartDaemon]:
    """A function that makes daemons.

    `script` is the workers' script, everything else changes the config: `limits={"progress_seconds": 1.0}`.
    `command` runs it through the real command line.
    """
    made: list[Daemon] = []

    def make(
        workers: int = 1, script: dict[str, Any] | None = None, command: bool = False, **config: dict[str, Any]
    ) -> Daemon:
        stage = set_up(folder / f"stage{len(made)}", workers, **config)
        stage.save_script(**script or {})
        if command:
            made.append(Daemon(stage, ["tests.process.command", "-c", str(stage.config), "run"]))
        else:
            made.append(daemons.scripted(stage))
        return made[-1]

    try:
        yield make
    finally:
        for daemon in made:
            daemon.close()


def result_of(stage: Stage, name: str) -> Path:
    """Where the result of the video of this name lies."""
    return stage.results / PIPELINE / f"{name}.json"


def after_name(head: str) -> str:
    return head.partition('"sha256"')[2]


def content_of(result: Path) -> str:
    """A result without its beginning, which names the video, and its end, which tells of the run."""
    return after_name(reference.head(result))


def job_done(daemon: Daemon, job: int = 1) -> bool:
    return any(row["id"] == job and row["state"] == "done" for row in daemon.jobs())


def answers(daemon: Daemon) -> int:
    """How many answers are acknowledged so far."""
    return sum(row["count"] for row in daemon.rows("SELECT count(*) AS count FROM answers"))
