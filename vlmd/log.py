"""Logs: one line a record, to stderr, with priorities where journald reads them.

What a line is about stands before its message, always in this form and order, so that it can be searched for:
`job=12 window=34 lease=56 device=cuda:0`. A stderr that is closed, full, or read by nobody costs lines, never the
process: it says how many, once it can.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import threading
from collections.abc import Collection
from typing import Any

from vlmd.core.names import shown

_STDERR = 2
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_PATIENCE_MS = 200
"""How long a line waits for a reader that is slow; while lines are lost, none waits."""
_LONGEST = 4000
"""Bytes of a line: what a pipe takes whole, or not at all."""

Ids = int | str | Collection[int] | None


def about(job: Ids = None, window: Ids = None, lease: Ids = None, device: Ids = None) -> dict[str, Any]:
    """What a line is about, as `extra` of a log call; of several, each is named."""
    return {"ids": {"job": job, "window": window, "lease": lease, "device": device}}


def to_stderr(level: int, device: str | None = None) -> None:
    """Send this process's logs to stderr; libraries speak up from warnings on. A worker's lines all name its device."""
    handler = _Handler()
    handler.setFormatter(_OneLine(_is_journal(os.environ.get("JOURNAL_STREAM")), device))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("vlmd").setLevel(level)


def level() -> int:
    """What this process logs at, for the processes it starts."""
    return logging.getLogger("vlmd").getEffectiveLevel()


def say(text: str) -> None:
    """A line to whoever looks at stderr, outside the log."""
    _stderr.write(f"{text}\n".encode(errors="backslashreplace"))


def take_prints() -> None:
    """What libraries print becomes lines of the log: a print to a broken stderr would fail whatever they are doing."""
    sys.stdout = sys.stderr = _Prints()


def fill_descriptors() -> None:
    """Open /dev/null where stdin, stdout or stderr are closed: else the next file opened would get what is printed."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(fd, True)
    os.close(fd)


class _OneLine(logging.Formatter):
    """One line without control characters, whatever a record holds: names and answers are strangers' text."""

    def __init__(self, journal: bool, device: str | None) -> None:
        super().__init__(
            "%(name)s: %(message)s" if journal else "%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"
        )
        self._journal = journal
        self._device = device

    def formatMessage(self, record: logging.LogRecord) -> str:
        if ids := self._ids(record):
            record.message = f"{ids}: {record.message}"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        line = shown(super().format(record).replace("\n", " | "))
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{line}" if self._journal else line

    def _ids(self, record: logging.LogRecord) -> str:
        ids: dict[str, Ids] = {**about(device=self._device)["ids"]}
        ids |= {name: value for name, value in getattr(record, "ids", {}).items() if value is not None}
        return " ".join(f"{name}={value}" for name, values in ids.items() for value in _each(values))


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001  a call that logs nonsense is told of as logging does it, and stops nothing
            self.handleError(record)
            return
        _stderr.write(_cut(line) + b"\n")


class _Prints(io.TextIOBase):
    """A stream whose lines are logged, each when it is complete; of a bar that never ends a line, the end is kept."""

    _open = ""

    def write(self, text: str) -> int:
        *lines, rest = f"{self._open}{text}".split("\n")
        self._open = rest[-_LONGEST:]
        for line in filter(str.strip, lines):
            logging.getLogger("vlmd.printed").info(line)
        return len(text)


class _Stderr:
    """File descriptor 2, written to only while it takes something; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost = 0
        self._problem = ""

    def write(self, line: bytes) -> None:
        with self._lock:
            if self._lost:
                line = b"%d lines were lost here: %s\n%s" % (self._lost, self._problem.encode(), line)
            try:
                if not self._takes():
                    raise OSError("nobody read them")
                os.write(_STDERR, line)
                self._lost = 0
            except OSError as error:
                self._lost += 1
                self._problem = error.strerror or str(error)

    def _takes(self) -> bool:
        poll = select.poll()
        poll.register(_STDERR, select.POLLOUT)
        return bool(poll.poll(0 if self._lost else _PATIENCE_MS))


_stderr = _Stderr()


def _is_journal(stream: str | None) -> bool:
    """Whether stderr is the very pipe to journald that systemd has named: a shell below may have redirected it."""
    try:
        facts = os.fstat(_STDERR)
    except OSError:
        return False
    return stream == f"{facts.st_dev}:{facts.st_ino}"


def _each(values: Ids) -> Collection[int | str]:
    if values is None:
        return ()
    return (values,) if isinstance(values, int | str) else sorted(values)


def _cut(line: bytes) -> bytes:
    """The beginning, and the end with what an error said."""
    if len(line) <= _LONGEST:
        return line
    kept = line[: _LONGEST // 4].decode(errors="ignore"), line[-_LONGEST // 2 :].decode(errors="ignore")
    return " … ".join(kept).encode()
