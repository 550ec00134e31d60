"""Jobs: looking at them, and changing the queue.

GET  /v1/jobs?state=&pipeline=&limit=
GET  /v1/jobs/ID                   one job, with its failed windows and its history
GET  /v1/jobs/ID/result            merged from what is there so far
POST /v1/jobs                      {"path", "pipeline", "next", "inputs"}: register a file where it lies
POST /v1/manifests                 {"path", "pipeline", "limit"}: register the samples of a manifest
POST /v1/jobs/ID/retry             {"fresh"}
POST /v1/jobs/ID/cancel
POST /v1/jobs/ID/merge
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.core.errors import UsageError
from vlmd.core.inputs import Inputs
from vlmd.core.messages.merger import Merged, MergeFailed
from vlmd.store import views
from vlmd.supervisor.api.answering import NotFound, job_id, number, read
from vlmd.supervisor.api.verbs import Verbs
from vlmd.supervisor.fleet.waiting import with_reason
from vlmd.supervisor.merger import run_merger
from vlmd.supervisor.parts import Parts

_MOST_JOBS = 10_000


class Submission(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    pipeline: str | None = None
    next: bool = False
    inputs: Inputs | None = None


class ManifestSubmission(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    pipeline: str | None = None
    limit: int | None = None


class Retry(msgspec.Struct, forbid_unknown_fields=True):
    fresh: bool = False


def routes(parts: Parts) -> list[Route]:
    jobs = _Jobs(parts)
    return [
        Route("/v1/jobs", jobs.list),
        Route("/v1/jobs", jobs.submit, methods=["POST"]),
        Route("/v1/manifests", jobs.submit_manifest, methods=["POST"]),
        Route("/v1/jobs/{id:int}", jobs.show),
        Route("/v1/jobs/{id:int}/result", jobs.result),
        Route("/v1/jobs/{id:int}/retry", jobs.retry, methods=["POST"]),
        Route("/v1/jobs/{id:int}/cancel", jobs.cancel, methods=["POST"]),
        Route("/v1/jobs/{id:int}/merge", jobs.merge, methods=["POST"]),
    ]


class _Jobs:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._verbs = Verbs(parts)
        self._database = parts.settings.paths.database

    async def list(self, request: Request) -> Response:
        query = request.query_params
        limit = number(request, "limit", 1, _MOST_JOBS, 1000)
        state, pipeline = query.get("state"), query.get("pipeline")
        jobs = await read(self._database, lambda db: views.job_list(db, state, pipeline, limit))
        return JSONResponse([self._explained(job) for job in jobs])

    async def show(self, request: Request) -> Response:
        return JSONResponse(self._explained(await self._detail(request)))

    async def result(self, request: Request) -> Response:
        job = await self._detail(request)
        if job["video"] is None:
            raise UsageError(f"job {job['id']} is {job['state']}: nothing has been answered yet")
        if job["pipeline"] not in self._parts.settings.pipelines:
            raise UsageError(f"pipeline {job['pipeline']} is not configured any more, so nothing says how to merge")
        inputs = None if job["inputs"] is None else msgspec.convert(job["inputs"], type=Inputs)
        outcome = await run_merger(self._parts.mergers.request(job["id"], job["pipeline"], inputs, None))
        if isinstance(outcome, MergeFailed):
            raise UsageError(outcome.failure.reason)
        assert isinstance(outcome, Merged), "without a target there is nothing to discard"
        return Response(outcome.body, media_type="application/json")

    async def submit(self, request: Request) -> Response:
        body = msgspec.convert(json.loads(await request.body()), type=Submission)
        job = await self._verbs.submit(body.path, body.pipeline, body.next, body.inputs)
        return JSONResponse({"job": job})

    async def submit_manifest(self, request: Request) -> Response:
        body = msgspec.convert(json.loads(await request.body()), type=ManifestSubmission)
        taken, problem = await self._verbs.submit_manifest(body.path, body.pipeline, body.limit)
        return JSONResponse({"jobs": taken, "problem": problem})

    async def retry(self, request: Request) -> Response:
        body = msgspec.json.decode(await request.body() or b"{}", type=Retry)
        job = await self._detail(request)
        await self._verbs.retry(job["id"], body.fresh)
        return JSONResponse({"job": job["id"]})

    async def cancel(self, request: Request) -> Response:
        job = await self._detail(request)
        await self._verbs.cancel(job["id"])
        return JSONResponse({"job": job["id"]})

    async def merge(self, request: Request) -> Response:
        job = await self._detail(request)
        await self._verbs.merge(job["id"])
        return JSONResponse({"job": job["id"]})

    def _explained(self, job: dict[str, Any]) -> dict[str, Any]:
        return with_reason(job, self._parts.fleet.slots, self._parts.waiting_pipelines())

    async def _detail(self, request: Request) -> dict[str, Any]:
        wanted = job_id(request)
        job = await read(self._database, lambda db: views.job_detail(db, wanted))
        if job is None:
            raise NotFound(f"there is no job {wanted}; `vlmd jobs` lists them")
        return job
