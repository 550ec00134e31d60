"""The control API: HTTP on a Unix socket, for the command line and for programs.

    GET  /v1/status                    devices, queue, inbox
    GET  /v1/jobs?state=&pipeline=&limit=
    GET  /v1/jobs/ID                   one job, with its failed windows and its history
    GET  /v1/jobs/ID/result            merged from what is there so far
    POST /v1/jobs                      {"path", "pipeline", "next"}: register a file where it lies
    POST /v1/jobs/ID/retry             {"fresh"}
    POST /v1/jobs/ID/cancel
    POST /v1/jobs/ID/merge

Every answer is one JSON document; an error is {"error": a sentence} with a 4xx status.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.core.errors import FailureError, UsageError
from vlmd.core.messages import MergeFailed
from vlmd.store import reader, views
from vlmd.supervisor.merging import run_merger
from vlmd.supervisor.parts import Parts
from vlmd.supervisor.verbs import Verbs

T = TypeVar("T")
_MOST_JOBS = 10_000
_LARGEST_ID = 2**63 - 1
"""Of what SQLite can hold."""


class Submission(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    pipeline: str | None = None
    next: bool = False


class Retry(msgspec.Struct, forbid_unknown_fields=True):
    fresh: bool = False


class NotFound(UsageError):
    """There is no such job."""


class Control:
    """Serves the API until cancelled."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._verbs = Verbs(parts)
        self._socket_path = parts.settings.paths.socket

    async def run(self) -> None:
        server = _Server(uvicorn.Config(self._application(), log_level="warning", access_log=False, lifespan="off"))
        listening = _listen(os.fspath(self._socket_path))
        try:
            await server.serve(sockets=[listening])
        finally:
            listening.close()
            self._socket_path.unlink(missing_ok=True)

    def _application(self) -> Starlette:
        routes = [
            Route("/v1/status", self._status),
            Route("/v1/jobs", self._jobs),
            Route("/v1/jobs", self._submit, methods=["POST"]),
            Route("/v1/jobs/{id:int}", self._job),
            Route("/v1/jobs/{id:int}/result", self._result),
            Route("/v1/jobs/{id:int}/retry", self._retry, methods=["POST"]),
            Route("/v1/jobs/{id:int}/cancel", self._cancel, methods=["POST"]),
            Route("/v1/jobs/{id:int}/merge", self._merge, methods=["POST"]),
        ]
        refusals = dict.fromkeys((UsageError, FailureError, msgspec.DecodeError, ValueError), _refused)
        handlers = {NotFound: _not_found, **refusals, Exception: _failed}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def _status(self, request: Request) -> Response:
        return JSONResponse({**await self._verbs.status(), **await self._read(views.queue_status)})

    async def _jobs(self, request: Request) -> Response:
        query = request.query_params
        limit = _limit(query.get("limit", "1000"))
        state, pipeline = query.get("state"), query.get("pipeline")
        return JSONResponse(await self._read(lambda db: views.job_list(db, state, pipeline, limit)))

    async def _job(self, request: Request) -> Response:
        return JSONResponse(await self._detail(request))

    async def _result(self, request: Request) -> Response:
        job = await self._detail(request)
        if job["video"] is None:
            raise UsageError(f"job {job['id']} is {job['state']}: nothing has been answered yet")
        if job["pipeline"] not in self._parts.settings.pipelines:
            raise UsageError(f"pipeline {job['pipeline']} is not configured any more, so nothing says how to merge")
        outcome = await run_merger(self._parts.mergers.request(job["id"], job["pipeline"], None))
        if isinstance(outcome, MergeFailed):
            raise UsageError(outcome.failure.reason)
        return Response(outcome.body, media_type="application/json")

    async def _submit(self, request: Request) -> Response:
        body = msgspec.convert(json.loads(await request.body()), type=Submission)
        job = await self._verbs.submit(body.path, body.pipeline, body.next)
        return JSONResponse({"job": job})

    async def _retry(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body() or b"{}", type=Retry)
        job = await self._detail(request)
        await self._verbs.retry(job["id"], body.fresh)
        return JSONResponse({"job": job["id"]})

    async def _cancel(self, request: Request) -> Response:
        job = await self._detail(request)
        await self._verbs.cancel(job["id"])
        return JSONResponse({"job": job["id"]})

    async def _merge(self, request: Request) -> Response:
        job = await self._detail(request)
        await self._verbs.merge(job["id"])
        return JSONResponse({"job": job["id"]})

    async def _detail(self, request: Request) -> dict[str, Any]:
        job_id: int = min(request.path_params["id"], _LARGEST_ID)
        job = await self._read(lambda db: views.job_detail(db, job_id))
        if job is None:
            raise NotFound(f"there is no job {job_id}; `vlmd jobs` lists them")
        return job

    async def _read(self, view: Callable[..., T]) -> T:
        """Run a view on a snapshot of its own, in a thread: a long list delays nobody."""
        path = self._parts.settings.paths.database

        def look() -> T:
            with reader.snapshot(path) as db:
                return view(db)

        return await asyncio.to_thread(look)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(path: str) -> socket.socket:
    """A listening socket, open to the owner and the group. One left over by a daemon that was killed is replaced."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        listening.bind(path)
    finally:
        os.umask(mask)
    listening.listen(128)
    return listening


def _limit(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MOST_JOBS:
        raise UsageError(f"limit must be a number from 1 to {_MOST_JOBS}, not {text!r}")
    return int(text)


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=404)


async def _failed(request: Request, error: Exception) -> Response:
    """A bug; Starlette logs its trace."""
    return JSONResponse({"error": f"the daemon failed at this: {error!r}; see its log"}, status_code=500)


async def _refused(request: Request, error: Exception) -> Response:
    code = error.failure.code if isinstance(error, FailureError) else None
    return JSONResponse({"error": str(error), "code": code}, status_code=400)
