"""What all routes share: snapshots to read from, and errors as sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vlmd.core.errors import FailureError, Unwritable, UsageError
from vlmd.store import Store, reader

T = TypeVar("T")


LARGEST_ID = 2**63 - 1
"""Of what SQLite can hold."""


class NotFound(UsageError):
    """There is no such thing."""


async def read(database: Path, view: Callable[..., T]) -> T:
    """Run a view on a snapshot of its own, in a thread: a long list delays nobody."""

    def look() -> T:
        with reader.snapshot(database) as db:
            return view(db)

    return await asyncio.to_thread(look)


def number(request: Request, name: str, least: int, most: int, default: int) -> int:
    """A number from the query, within its bounds."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise UsageError(f"{name} must be a number from {least} to {most}, not {text[:100]!r}")
    return int(text)


def job_id(request: Request) -> int:
    """The job a path names; whatever it is, SQLite can hold it."""
    return min(int(request.path_params["id"]), LARGEST_ID)


def require_writable(store: Store) -> None:
    """Refuse at once what would write again and again. Raises `Unwritable` while the database takes nothing."""
    if store.problem is not None:
        raise Unwritable(store.problem)


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=404)


async def _refused(request: Request, error: Exception) -> Response:
    code = error.failure.code if isinstance(error, FailureError) else None
    return JSONResponse({"error": str(error), "code": code}, status_code=400)


async def _unwritable(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=503)


async def _failed(request: Request, error: Exception) -> Response:
    """A bug; Starlette logs its trace."""
    return JSONResponse({"error": f"the daemon failed at this: {error!r}; see its log"}, status_code=500)


ERRORS: dict[Any, Any] = {
    NotFound: _not_found,
    **dict.fromkeys((UsageError, FailureError, msgspec.DecodeError, ValueError), _refused),
    Unwritable: _unwritable,
    Exception: _failed,
}
"""How Starlette answers what a route raises."""
