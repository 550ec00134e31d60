"""Asking a process of its own: importing torch is slow and may crash, a sick driver hangs.

The process runs `python -m MODULE FD …` and writes one JSON object to the descriptor; what it prints is its own
affair, and is looked at only to say how it died.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from vlmd.core.names import shown

_WORDS = 300


class NoAnswer(Exception):
    """It crashed, hung, or said something else; one sentence."""


def ask(module: str, *arguments: str, seconds: float, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the module says. Raises `NoAnswer`."""
    ours, theirs = os.pipe()
    with open(ours, "rb") as reader:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs],
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        try:
            _, words = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"it did not answer within {seconds:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return _answer(process.returncode, reader.read(), words)


def _answer(code: int, said: bytes, words: bytes) -> dict[str, Any]:
    if code != 0:
        how = f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"
        last = [line for line in words.decode(errors="replace").splitlines() if line.strip()][-1:]
        raise NoAnswer(": ".join([how, *(shown(line.strip())[:_WORDS] for line in last)]))
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError as error:
        raise NoAnswer(f"it did not say what it found ({error})") from error
    return answer


def answer(fd: int, document: dict[str, Any]) -> None:
    """The other side: say what was found. Small enough for a pipe that nobody reads before the end."""
    with open(fd, "w", encoding="utf-8") as pipe:
        json.dump(document, pipe)
