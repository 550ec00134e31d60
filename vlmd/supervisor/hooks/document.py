"""What a hook is told of a job, as one JSON document."""

from __future__ import annotations

import json
from typing import Any

from vlmd.config.settings import PathSettings
from vlmd.store import reader, views
from vlmd.store.notices import Notice

SCHEMA = "vlmd.notice/1"


class Told:
    """The document of a notice, and the few words of it that are told beside it."""

    def __init__(self, notice: Notice, job: dict[str, Any], paths: PathSettings) -> None:
        result = None if job["result"] is None else str(paths.results / job["result"])
        self.event = f"job.{notice.event}"
        self.delivery = notice.delivery
        self.environment = {
            "VLMD_EVENT": self.event,
            "VLMD_DELIVERY": notice.delivery,
            "VLMD_JOB": str(notice.job_id),
            "VLMD_STATE": notice.state,
            "VLMD_PIPELINE": job["pipeline"],
            "VLMD_RESULT": result or "",
        }
        document = {
            "schema": SCHEMA,
            "event": self.event,
            "delivery": notice.delivery,
            "at": views.utc(notice.at),
            "state": notice.state,
            "code": notice.code,
            "reason": notice.reason,
            "result": result,
            "job": job,
        }
        self.body = json.dumps(document).encode()


def tell(notice: Notice, paths: PathSettings) -> Told | None:
    """What the notice says is as it was then, the job as it is now; None if there is no such job any more.

    Runs in a thread.
    """
    with reader.snapshot(paths.database) as db:
        job = views.job_detail(db, notice.job_id)
    return None if job is None else Told(notice, job, paths)
