"""A pipeline on one video, from this process: a daemon of its own that ends with the result and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from vlmd.api.result import Result, read
from vlmd.api.settings import Config, settings_of
from vlmd.cli.inputs import inputs_of
from vlmd.clock import now_ms
from vlmd.config import PathSettings, Settings
from vlmd.core import names
from vlmd.core.errors import REMEDY, Code, UsageError, VlmdError
from vlmd.core.inputs import Inputs
from vlmd.core.video import FileRef
from vlmd.inbox.questions import lacking
from vlmd.media.opening import identify
from vlmd.store import Store, files, reader
from vlmd.supervisor.daemon import Daemon

_LOOK_SECONDS = 0.2


def run(
    video: str | os.PathLike[str],
    pipeline: str,
    config: Config = None,
    *,
    question: str | None = None,
    choices: Sequence[str] = (),
    timestamps: Sequence[float] = (),
) -> Result:
    """What a configured pipeline finds in a video. Models, devices and pipelines are those of `config`.

    `question`, `choices` and `timestamps` (seconds) are what would come with the video in a sidecar. Nothing is stored:
    the same call asks everything again. Works in a notebook, too. Raises `VlmdError` with the reason where there is no
    result: `UsageError`, `ConfigError` and `MediaError` are among these.
    """
    settings = settings_of(config)
    if pipeline not in settings.pipelines:
        raise UsageError(f"there is no pipeline {pipeline!r}; there is {', '.join(sorted(settings.pipelines))}")
    inputs = inputs_of(question, choices, timestamps)
    if problem := lacking(inputs or Inputs(), settings.pipelines[pipeline]):
        raise UsageError(f"pipeline {pipeline} asks of each video what it brings, and {problem}; say it with the video")
    with tempfile.TemporaryDirectory(prefix="vlmd-") as folder:
        own = _within(settings, Path(folder))
        new = _job(Path(video).absolute(), pipeline, inputs)
        _Thread(own, new).result_of()
        return _outcome(own, new)


class _Thread(threading.Thread):
    """Runs a daemon: its children live as long as the thread that started them."""

    def __init__(self, settings: Settings, new: files.NewJob) -> None:
        super().__init__(name="vlmd", daemon=True)
        self._settings = settings
        self._new = new
        self._daemon = Daemon(settings, once=True)
        self._error: BaseException | None = None

    def result_of(self) -> None:
        """Until everything is done; an interrupt ends it in order."""
        self.start()
        try:
            while self.is_alive():
                self.join(_LOOK_SECONDS)
        except BaseException:
            self._daemon.stop()
            self.join()
            raise
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseExceptionGroup as group:
            self._error = _first(group)
        except BaseException as error:  # noqa: BLE001  it is raised where somebody waits for it
            self._error = error

    async def _work(self) -> None:
        store = await Store.open(self._settings.paths.database)
        try:
            await store.write(files.register, self._new, now_ms())
        finally:
            await store.close()
        await self._daemon.run()


def _within(settings: Settings, folder: Path) -> Settings:
    """The same settings with an inbox, results and a state of their own."""
    own = {name: folder / name for name in ("inbox", "results", "state")}
    paths = PathSettings(**own, models=settings.paths.models)
    inbox = settings.inbox.model_copy(update={"settle_seconds": 0.1})
    return settings.model_copy(update={"paths": paths, "inbox": inbox})


def _job(video: Path, pipeline: str, inputs: Inputs | None) -> files.NewJob:
    raw = os.fsencode(video)
    file = FileRef(os.path.dirname(raw), raw, identify(os.path.dirname(raw), raw))
    base = f"{pipeline}/{names.result_base(os.path.basename(raw))}"
    return files.NewJob(file=file, origin="submit", pipeline=pipeline, name=names.shown(raw), base=base, inputs=inputs)


def _outcome(settings: Settings, new: files.NewJob) -> Result:
    with reader.snapshot(settings.paths.database) as db:
        row = next(job for job in reader.jobs(db, None, new.pipeline, 10) if job["name"] == new.name)
    if row["state"] == "done":
        return read(settings.paths.results / f"{row['result']}.json")
    if row["code"] is None:
        raise VlmdError(f"{new.name}: there is no result, and nothing can go on; the log says why")
    raise VlmdError(f"{new.name}: {row['reason']}; {REMEDY[Code(row['code'])]}")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error that is one."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
