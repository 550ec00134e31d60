"""Starting a process of ours with a link to it, and hearing from it until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

from vlmd.core.errors import LinkError
from vlmd.core.messages.base import Gone
from vlmd.link import MAX_FRAME, decode_message, encode_frame, read_frame

T = TypeVar("T")
_STDERR = 2


class Child(Generic[T]):
    """A process at the other end of a link, sending messages of type `T`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        receives: Any,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.link_ended_at: float | None = None
        """It will say nothing more, and is about to end."""
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(receives)

    @classmethod
    async def start(
        cls, command: Sequence[str], receives: Any, environment: Mapping[str, str] | None = None
    ) -> Child[T]:
        """Run `command --link-fd N --parent PID`. What it prints goes to our stderr."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                *("--link-fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=_STDERR,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
        return cls(process, reader, writer, receives)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: msgspec.Struct) -> None:
        """Queue a message; one to a process that has ended is lost, and `messages` says so with `Gone`."""
        if not self._writer.is_closing():
            self._writer.write(encode_frame(message))

    async def messages(self, most: int = MAX_FRAME) -> AsyncIterator[T | Gone]:
        """Everything the process says, and `Gone` at the end: end of file, a signal and garbage look alike.

        `most`: bytes of the longest message it may send.
        """
        reason = None
        try:
            while (body := await read_frame(self._reader, most)) is not None:
                yield decode_message(self._decoder, body)
        except LinkError as error:
            reason = f"it broke the protocol ({error})"
            self.kill()
        self.link_ended_at = time.monotonic()
        code = await self.ended()
        how: Literal["exit", "signal", "protocol"] = "protocol" if reason else "signal" if code < 0 else "exit"
        yield Gone(exit=reason or _describe(code), how=how)

    async def ended(self) -> int:
        """The exit code, once the process has been reaped; its link is closed then."""
        code = await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        return code

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def python(module: str) -> list[str]:
    """The command that runs one of our modules with this interpreter, and none that lies in the current folder."""
    return [sys.executable, "-P", "-m", module]


def _describe(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"
