"""Reads the trace of one process (`strace -ff -e trace=%file,%network,prctl`) and judges it. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_LOCKED = re.compile(r"prctl\(PR_SET_NO_NEW_PRIVS, 1.*= 0")
_ON_ITS_LINK = {
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
}
"""Calls of the network kind that need a descriptor and give none."""
_OPENS = {"open", "openat", "openat2", "creat", "execve", "execveat"}
_FREE = (
    *("/proc/self", "/etc/ld.so.", "/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/dev/null", "/dev/urandom"),
    *("/usr/share/locale/", "/etc/localtime", "/usr/share/zoneinfo/", "/sys/devices/system/cpu/"),
)
"""What a Python process opens as it starts, beside its own installation."""


@dataclass
class Judged:
    """What was made of the traces of some decoders."""

    decoders: int = 0
    locked: int = 0
    """Decoders that locked themselves up; one that is never asked anything does not."""
    before: Counter[str] = field(default_factory=Counter)
    """Names opened before that."""
    refused: Counter[str] = field(default_factory=Counter)
    """Calls tried after it, without success."""
    violations: list[str] = field(default_factory=list)


def is_decoder(lines: Sequence[str]) -> bool:
    """Whether a process ran a decoder; the daemon that starts them names it too, but in what a child of it does."""
    return any(line.startswith("execve(") and '"-m", "vlmd.media"' in line for line in lines)


def judge(traces: Iterable[Sequence[str]], installation: Sequence[str], private: str) -> Judged:
    """`installation`: folders of Python and of ours; `private`: the folder whose files no decoder may name."""
    judged = Judged()
    for lines in traces:
        if is_decoder(lines):
            judged.decoders += 1
            _judge_one(lines, (*_FREE, *installation), private, judged)
    return judged


def _judge_one(lines: Sequence[str], free: tuple[str, ...], private: str, judged: Judged) -> None:
    begin = next(at for at, line in enumerate(lines) if '"vlmd.media"' in line and line.startswith("execve("))
    locked = False
    for line in lines[begin + 1 :]:
        if not locked and _LOCKED.match(line):
            locked = True
            judged.locked += 1
        elif call := _CALL.match(line):
            name, arguments, result = call.groups()
            if locked:
                _after(name, arguments, result, line, judged)
            else:
                _before(name, arguments, result, line, free, private, judged)


def _before(
    name: str, arguments: str, result: str, line: str, free: tuple[str, ...], private: str, judged: Judged
) -> None:
    texts = _TEXT.findall(arguments)
    if any(text.startswith(private) for text in texts):
        judged.violations.append(f"before it was locked up: {line[:200]}")
    elif name in _OPENS and not result.startswith("-"):
        judged.before[texts[0]] += 1
        if not texts[0].startswith(free):
            judged.violations.append(f"before it was locked up: {line[:200]}")
    elif name in {"socket", "connect", "bind"}:
        judged.violations.append(f"before it was locked up: {line[:200]}")


def _after(name: str, arguments: str, result: str, line: str, judged: Judged) -> None:
    if name in _ON_ITS_LINK or name == "prctl" or "AT_EMPTY_PATH" in arguments:
        return
    if result.startswith("-"):
        judged.refused[name] += 1
    else:
        judged.violations.append(f"from within the sandbox: {line[:200]}")
