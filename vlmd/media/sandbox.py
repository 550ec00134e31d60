"""The decoder locks itself up before it looks at the first byte of a video.

Limits on its resources, then no_new_privs and Landlock (no file, no TCP, no other process), then seccomp (no
socket at all, no new process, nothing by name). All of it binds the calling thread and what that starts, so
the process must have one thread when it enters. After that it can only use the descriptors it already holds.
"""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

from vlmd.core.errors import Code, MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.media import landlock, seccomp

_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 64


def enter(limits: DecodeLimits) -> list[str]:
    """Lock this process up for good; returns what this kernel could not give, best empty.

    With `limits.require_sandbox` anything missing raises `MediaError`; a step that fails always does.
    """
    try:
        _require_one_thread()
        _limit_resources(limits)
        missing = _restrict()
    except (OSError, ValueError) as error:
        raise MediaError(Code.NO_SANDBOX, f"the decoder could not lock itself up: {error}") from error
    if missing and limits.require_sandbox:
        raise MediaError(Code.NO_SANDBOX, f"this kernel does not offer {' and '.join(missing)}")
    return missing


def _require_one_thread() -> None:
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise OSError(f"it must have one thread to do so, but has {threads}")


def _limit_resources(limits: DecodeLimits) -> None:
    # No RLIMIT_NPROC: it counts all processes of the user, and would break codec threads.
    for kind, value in {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }.items():
        resource.setrlimit(kind, (value, value))
    # SIGXCPU at the limit names the cause; SIGKILL a second later ends what ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))


def _restrict() -> list[str]:
    missing = []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS) failed")
    if abi := landlock.abi_version():
        landlock.restrict_self(abi)
    else:
        missing.append("Landlock")
    if not (seccomp.supported() and seccomp.install_filter()):
        missing.append("seccomp")
    return missing
