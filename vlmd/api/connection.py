"""Talking to a running daemon from Python."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmd.api.result import Result
from vlmd.api.settings import Config, settings_of
from vlmd.cli.client import Client
from vlmd.cli.inputs import inputs_of
from vlmd.core.errors import VlmdError
from vlmd.core.states import ENDED_JOBS

_LOOK_SECONDS = 0.5


class Connection:
    """A running daemon. Every function raises `VlmdError` with the daemon's sentence, also where none runs."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(
        self,
        video: str | os.PathLike[str],
        pipeline: str | None = None,
        *,
        question: str | None = None,
        choices: Sequence[str] = (),
        timestamps: Sequence[float] = (),
        first: bool = False,
    ) -> int:
        """Register a video where it lies, with what would come with it in a sidecar; returns its job.

        `timestamps` are seconds; `first` puts it to the front of the queue.
        """
        inputs = inputs_of(question, choices, timestamps)
        return self._client.submit(Path(video).absolute(), pipeline, first, inputs)

    def job(self, job: int) -> dict[str, Any]:
        """A job with its state, its windows, what failed and why."""
        return self._client.running_job(job)

    def jobs(self, state: str | None = None, pipeline: str | None = None) -> list[dict[str, Any]]:
        """The newest jobs, oldest first."""
        return self._client.running_jobs(state, pipeline)

    def result(self, job: int) -> Result:
        """What a job's answers come to so far."""
        return Result(self._client.result_so_far(job))

    def wait(self, job: int, timeout_s: float | None = None) -> Result:
        """The result of a job, once it is done. Raises `VlmdError` with its reason where it ends without one, and
        `TimeoutError` after so many seconds."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (found := self.job(job))["state"] not in ENDED_JOBS:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is still {found['state']} after {timeout_s:g} s")
            time.sleep(_LOOK_SECONDS)
        if found["state"] != "done":
            raise VlmdError(f"job {job} has {found['state']}: {found['reason']}; {found['remedy']}")
        return self.result(job)

    def status(self) -> dict[str, Any]:
        """Devices, queue and problems, as `vlmd status --json` has them."""
        return self._client.status()


def connect(config: Config = None) -> Connection:
    """The daemon of a configuration. Raises `VlmdError` where none answers."""
    connection = Connection(Client(settings_of(config)))
    connection.status()
    return connection
