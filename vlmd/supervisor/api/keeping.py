"""Forgetting what has been kept long enough.

GET  /v1/gc         how much would go
POST /v1/gc         forget it now
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd.supervisor.api.answering import require_writable
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    keeper = parts.keeper

    async def look(request: Request) -> Response:
        return JSONResponse({"forgotten": msgspec.to_builtins(await keeper.expected())})

    async def forget(request: Request) -> Response:
        require_writable(parts.store)
        return JSONResponse(msgspec.to_builtins(await keeper.forget()))

    return [Route("/v1/gc", look), Route("/v1/gc", forget, methods=["POST"])]
