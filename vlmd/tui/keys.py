"""Single keys from a terminal, which is as it was before when this ends."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Any, Self

_QUITS = (b"q", b"Q", b"\x03")
"""q, and Ctrl-C, which is a key like any other while this reads."""


class Keys:
    """Reads the keyboard while it is entered; without one, nobody presses anything."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if os.isatty(self._fd):
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
            self._set_signals_off()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def quit_within(self, seconds: float) -> bool:
        """Wait for a key; whether it means the end. The end of the terminal does."""
        if self._before is None:
            time.sleep(seconds)
            return False
        readable, _, _ = select.select([self._fd], [], [], seconds)
        if not readable:
            return False
        pressed = os.read(self._fd, 64)
        return not pressed or any(key in pressed for key in _QUITS)

    def _set_signals_off(self) -> None:
        """Ctrl-Z would leave the shell on a screen that is not its own."""
        mode = termios.tcgetattr(self._fd)
        mode[3] &= ~termios.ISIG
        termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)
