"""What a live screen asks for, again and again: one request a frame, and answers as the models gave them.

GET  /v1/screen?jobs=               devices, totals, troubles, at most so many unfinished and ended jobs
GET  /v1/answers?after=&limit=      the newest answers with an id above `after`, oldest first
GET  /v1/jobs/ID/answers?after=&limit=   a job's first answers with an id above `after`: page by page, all

Answers are raw, and `tasks` says how to read them: what a model wrote is never parsed in the supervisor.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.core.answers import RawAnswer
from vlmd.store import screen, views
from vlmd.supervisor.api.answering import LARGEST_ID, job_id, number, read
from vlmd.supervisor.api.status import DaemonStatus
from vlmd.supervisor.asking import task_of
from vlmd.supervisor.fleet.waiting import with_reason
from vlmd.supervisor.parts import Parts

_MOST_JOBS = 200
_MOST_ANSWERS = 1000


def routes(parts: Parts) -> list[Route]:
    screens = _Screen(parts)
    return [
        Route("/v1/screen", screens.frame),
        Route("/v1/answers", screens.newest),
        Route("/v1/jobs/{id:int}/answers", screens.of_job),
    ]


class _Screen:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._daemon = DaemonStatus(parts)

    async def frame(self, request: Request) -> Response:
        jobs = number(request, "jobs", 1, _MOST_JOBS, 20)
        queue = await read(self._parts.settings.paths.database, lambda db: views.screen_status(db, jobs))
        slots, absent = self._parts.fleet.slots, self._parts.waiting_pipelines()
        active = [with_reason(job, slots, absent) for job in queue["active"]]
        return JSONResponse({**await self._daemon.document(), **queue, "active": active})

    async def newest(self, request: Request) -> Response:
        after, limit = _page(request)
        return await self._answers(lambda db: screen.newest_answers(db, after, limit))

    async def of_job(self, request: Request) -> Response:
        job = job_id(request)
        after, limit = _page(request)
        return await self._answers(lambda db: screen.job_answers(db, job, after, limit))

    async def _answers(self, view: Callable[[sqlite3.Connection], list[RawAnswer]]) -> Response:
        """Encoded in the thread that reads them: a page may be a megabyte."""
        tasks = {name: task_of(pipeline) for name, pipeline in self._parts.settings.pipelines.items()}

        def encoded(db: sqlite3.Connection) -> bytes:
            return msgspec.json.encode({"answers": view(db), "tasks": tasks})

        body = await read(self._parts.settings.paths.database, encoded)
        return Response(body, media_type="application/json")


def _page(request: Request) -> tuple[int, int]:
    return number(request, "after", 0, LARGEST_ID, 0), number(request, "limit", 1, _MOST_ANSWERS, 200)
