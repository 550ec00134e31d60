"""Waits for a job, and shows how far it is."""

from __future__ import annotations

import time

from vlmd.cli.bars import Bars
from vlmd.cli.client import Client
from vlmd.cli.progress import loading
from vlmd.core.errors import VlmdError
from vlmd.core.states import ENDED_JOBS

_PERIOD_SECONDS = 0.5


def wait_for(client: Client, number: int) -> None:
    """Until the job has ended. Raises `VlmdError` where it has no result, and `NotRunning` if the daemon ends first."""
    job = client.running_job(number)
    with Bars([job["name"].rsplit("/", 1)[-1]]) as bars:
        while job["state"] not in ENDED_JOBS:
            bars.show([job], loading(client.screen(1)["devices"]) if job["state"] == "queued" else "")
            time.sleep(_PERIOD_SECONDS)
            job = client.running_job(number)
        bars.show([job])
    if job["state"] != "done":
        raise VlmdError(f"job {number} {job['state']}: {job['code']}: {job['reason']} ({job['remedy']})")
