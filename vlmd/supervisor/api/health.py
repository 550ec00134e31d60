"""Whether the daemon is well, for whoever restarts it or sends it work.

GET  /healthz       200 while the loop and the database answer, else 503 with the reason
GET  /readyz        200 while a dropped video would be worked on, else 503 with the reasons
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.supervisor.health import alive, unready
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    async def healthz(request: Request) -> Response:
        return _answer("well", await alive(parts))

    async def readyz(request: Request) -> Response:
        return _answer("ready", "; ".join(unready(parts)) or None)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]


def _answer(word: str, problem: str | None) -> Response:
    if problem is None:
        return JSONResponse({"status": word})
    return JSONResponse({"error": problem}, status_code=503)
