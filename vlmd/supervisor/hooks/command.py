"""Telling a command: the document on its stdin, a few words in its environment, nothing in its arguments."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from vlmd.core.names import shown
from vlmd.supervisor.hooks.document import Told

_KEPT_BYTES = 2000
_CHUNK = 1 << 16
_LAST_WORDS_SECONDS = 1.0


async def run_command(words: Sequence[str], told: Told, limit_seconds: float) -> str | None:
    """None when it ended with exit code 0 within its time, else the reason. Cancelled, it takes the command along."""
    async with _Output() as output:
        process = await _start(words, told, output.writing_end)
        output.close_writing_end()
        try:
            async with asyncio.timeout(limit_seconds):
                code = await process.wait()
        except TimeoutError:
            return f"it took longer than {limit_seconds:g} s (hooks.timeout_seconds) and was killed"
        finally:
            _kill_group(process)
        if code == 0:
            return None
        said = await output.said()
        return f"{_exit(code)}{': ' if said else ''}{said}"


async def _start(words: Sequence[str], told: Told, output: int) -> asyncio.subprocess.Process:
    """The document comes as a file in memory: a command need not read it, and nobody has to wait until it does."""
    document = os.memfd_create("notice")
    try:
        os.write(document, told.body)
        os.lseek(document, 0, os.SEEK_SET)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "vlmd.lifeline", str(os.getpid()), *words),
            stdin=document,
            stdout=output,
            stderr=output,
            env={**os.environ, **told.environment},
            start_new_session=True,
        )
    finally:
        os.close(document)


class _Output:
    """A pipe for what a command prints. Its first bytes are kept, the rest is dropped: nobody is held up."""

    def __init__(self) -> None:
        self._reading_end, self.writing_end = os.pipe()
        self._kept = b""

    async def __aenter__(self) -> _Output:
        stream = asyncio.StreamReader()
        pipe = os.fdopen(self._reading_end, "rb", buffering=0)
        connect = asyncio.get_running_loop().connect_read_pipe
        self._transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        self._reading = asyncio.create_task(self._read(stream))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close_writing_end()
        self._reading.cancel()
        self._transport.close()

    def close_writing_end(self) -> None:
        """Ours; the command has its own."""
        if self.writing_end >= 0:
            os.close(self.writing_end)
            self.writing_end = -1

    async def said(self) -> str:
        """The first of what was printed, as one harmless line. What still holds the pipe open is not waited for."""
        await asyncio.wait([self._reading], timeout=_LAST_WORDS_SECONDS)
        return shown(" | ".join(self._kept.decode(errors="replace").split("\n")).strip(" |"))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_CHUNK):
            self._kept = (self._kept + chunk)[:_KEPT_BYTES]


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """End the command and what it started, unless it has ended by itself: then its number may be another's."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _exit(code: int) -> str:
    return f"it ended with exit code {code}" if code >= 0 else f"it was killed by signal {-code}"
