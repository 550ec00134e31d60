"""The control API: HTTP on a Unix socket, for the command line and for programs.

Every answer is one JSON document; an error is {"error": a sentence} with a 4xx status, or 503 while the
database cannot be written. A group of routes is one
module with a function `routes(parts)`, named in `_GROUPS`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from vlmd.supervisor.api import devices, health, jobs, keeping, metrics, reload, screen, status
from vlmd.supervisor.api.answering import ERRORS
from vlmd.supervisor.parts import Parts

_GROUPS = (status, screen, metrics, health, jobs, devices, keeping, reload)


class Api:
    """Serves the API until cancelled."""

    def __init__(self, parts: Parts) -> None:
        self._application = Starlette(
            routes=[route for group in _GROUPS for route in group.routes(parts)], exception_handlers=ERRORS
        )
        self._socket_path = parts.settings.paths.socket

    async def run(self) -> None:
        server = _Server(uvicorn.Config(self._application, log_config=None, access_log=False, lifespan="off"))
        listening = _listen(os.fspath(self._socket_path))
        try:
            await server.serve(sockets=[listening])
        finally:
            listening.close()
            self._socket_path.unlink(missing_ok=True)


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
