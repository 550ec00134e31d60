"""The service manager's end of the notify socket."""

from __future__ import annotations

import socket
from pathlib import Path


class Listener:
    """Hears what a service says at `path`."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o777)

    def until(self, line: str, seconds: float) -> str:
        """The first message from here on that holds this line. Raises `TimeoutError`."""
        self._socket.settimeout(seconds)
        while line not in (message := self._socket.recv(8192).decode()).splitlines():
            pass
        return message
