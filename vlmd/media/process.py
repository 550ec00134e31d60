"""Starting, watching and ending one decoder process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import vlmd
from vlmd.core.errors import Code, MediaError
from vlmd.media.opening import EXHAUSTED

_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME")
_STDERR_BYTES = 64 << 10
_STDERR_LINES = 3
_GRACE_SECONDS = 2.0


class DecoderProcess:
    """One `python -m vlmd.media`. The kernel kills it when the *thread* that started it ends."""

    def __init__(self) -> None:
        try:
            self.socket, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(error) from error
        with theirs:
            try:
                self._process = _spawn(theirs.fileno())
            except OSError as error:
                self.socket.close()
                raise _not_started(error) from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it at once; from any thread, any number of times."""
        self._process.kill()

    def death(self) -> MediaError:
        """Why it ended, to be called when its link has ended; what still lives is killed."""
        try:
            code = self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
            return MediaError(Code.DECODER_CRASHED, "the decoder closed its link and went on" + self._last_words())
        if code == -signal.SIGXCPU:
            return MediaError(Code.DECODER_LIMIT, "decoding took more processor time than allowed")
        how = f"by {_signal_name(-code)}" if code < 0 else f"with exit status {code}"
        return MediaError(Code.DECODER_CRASHED, f"the decoder ended {how}{self._last_words()}")

    def close(self) -> None:
        """End it and let go of everything that belongs to it."""
        self.kill()
        self._process.wait()
        self.socket.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _last_words(self) -> str:
        """The end of what it wrote to stderr, as one printable line."""
        if self._process.stderr is None or self._process.stderr.closed:
            return ""
        os.set_blocking(self._process.stderr.fileno(), False)
        written = self._process.stderr.read(_STDERR_BYTES) or b""
        lines = written.decode("utf-8", "replace").split("\n")
        words = " | ".join([line.strip() for line in lines if line.strip()][-_STDERR_LINES:])
        return f": {printable(words)}" if words else ""


def printable(text: str, limit: int = 500) -> str:
    """`text` from a process that may be hostile: shortened, and without what could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:limit])


def _not_started(error: OSError) -> MediaError:
    code = Code.EXHAUSTED if error.errno in EXHAUSTED else Code.DECODER_CRASHED
    return MediaError(code, f"no decoder could be started: {error}")


def _spawn(link_fd: int) -> subprocess.Popen[bytes]:
    # A process group of its own: an interrupt typed at the terminal is for the daemon alone.
    command = [sys.executable, "-P", "-m", "vlmd.media"]
    return subprocess.Popen(
        [*command, "--link-fd", str(link_fd), "--parent", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[link_fd],
        env=_environment(),
        cwd="/",
        process_group=0,
        bufsize=0,
    )


def _environment() -> dict[str, str]:
    """Little of ours: tokens and proxies are no business of a process that reads hostile files.

    HOME, because without it Python asks the user database, and with it whatever service stands behind that.
    """
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    package = str(Path(vlmd.__file__).resolve().parent.parent)
    # One thread until it is locked up: the sandbox binds only the thread that enters it.
    return kept | {"PYTHONPATH": package, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
