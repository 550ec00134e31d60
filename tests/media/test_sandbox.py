"""What a decoder taken over by a video can reach: nothing. A control shows that the attempts are real ones."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vlmd.media import landlock, seccomp

ROOT = Path(__file__).parents[2]
HARMLESS = {"start a thread", "signal itself", "anonymous memory"}

pytestmark = pytest.mark.skipif(
    not (landlock.abi_version() and seccomp.supported()), reason="this kernel has no Landlock, or no known numbers"
)


def probe(folder: Path, how: str) -> set[str]:
    (folder / "file").write_bytes(b"secret")
    (folder / "victim").write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
        sock.listen()
        return set(json.loads(run_python("-m", "tests.media.probe", str(folder), how)))


def run_python(*arguments: str) -> str:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def test_a_locked_up_process_can_start_threads_and_do_nothing_else(tmp_path: Path) -> None:
    assert probe(tmp_path, "locked") == HARMLESS
    assert (tmp_path / "file").read_bytes() == b"secret"
    assert not (tmp_path / "new").exists()


def test_the_same_attempts_succeed_without_the_sandbox(tmp_path: Path) -> None:
    done = probe(tmp_path, "free")
    assert done >= HARMLESS | {"read a file", "tcp", "udp", "unix socket", "fork", "spawn", "signal the parent"}
    assert done >= {"list a folder", "write a file", "remove a file", "truncate a file", "change a mode"}
    assert done >= {"change times", "limit the parent", "slow the parent", "shared memory", "abstract unix socket"}
    if os.geteuid() == 0:  # others may be kept from it by ptrace_scope
        assert "read the parent's memory" in done


LOCK = """
import json
from vlmd.core.errors import MediaError
from vlmd.core.messages.decoder import DecodeLimits
from vlmd.media import landlock, sandbox, seccomp
{before}
try:
    print(json.dumps(sandbox.enter(DecodeLimits(cpu_seconds=10, require_sandbox={required}))))
except MediaError as error:
    print(json.dumps(str(error.failure.code)))
"""


@pytest.mark.parametrize(
    ("before", "required", "said"),
    [
        ("", True, []),
        ("landlock.abi_version = lambda: 0", True, "no-sandbox"),
        ("landlock.abi_version = lambda: 0", False, ["Landlock"]),
        ("seccomp.install_filter = lambda: False", True, "no-sandbox"),
        ("seccomp.supported = lambda: False; landlock.abi_version = lambda: 0", False, ["Landlock", "seccomp"]),
        ("landlock.abi_version = lambda: 63", False, "no-sandbox"),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", False, "no-sandbox"),
        *[(f"landlock.abi_version = lambda: {abi}", True, []) for abi in range(1, 6)],
    ],
)
def test_what_is_missing_is_said_and_what_fails_is_fatal(before: str, required: bool, said: object) -> None:
    if "63" in before:
        before = "def fail(abi): raise OSError('no')\nlandlock.restrict_self = fail"
    assert json.loads(run_python("-c", LOCK.format(before=before, required=required))) == said


def test_resources_are_limited() -> None:
    code = (
        "import resource; print(json.dumps([resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in %s]))"
    )
    names = ["AS", "CPU", "NOFILE", "FSIZE", "CORE"]
    said = run_python("-c", LOCK.format(before="", required=True) + code % names).splitlines()[-1]
    assert json.loads(said) == [[4 << 30, 4 << 30], [10, 11], [64, 64], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("column", "header"),
    [(0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), (1, "/usr/include/asm-generic/unistd.h")],
)
def test_the_numbers_of_system_calls_are_the_kernel_headers(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text()))
    ours = {name: pair[column] for name, pair in seccomp.numbers().items() if pair[column] is not None}
    younger = {name for name in ours if name not in numbers}
    assert younger <= {"fchmodat2", "process_mrelease"}
    assert {name: str(number) for name, number in ours.items() if name not in younger} == {
        name: numbers[name] for name in ours if name not in younger
    }
