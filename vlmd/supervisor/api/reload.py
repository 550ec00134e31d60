"""The daemon's settings, read again.

POST /v1/reload     what changed, and what waits for a restart; where something is wrong, nothing is changed
"""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.core.errors import ConfigError
from vlmd.supervisor.api.answering import require_writable
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    async def reload(request: Request) -> Response:
        require_writable(parts.store)
        try:
            return JSONResponse(asdict(await parts.reloading.reload()))
        except ConfigError as error:
            return JSONResponse({"error": str(error), "problems": error.problems}, status_code=422)

    return [Route("/v1/reload", reload, methods=["POST"])]
