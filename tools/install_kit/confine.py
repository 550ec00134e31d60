"""Runs a unit's program under what the unit says, without systemd; stands alone, for a root that has only Python.

It follows systemd.exec(5) for what vlmd.service uses: folders and mounts, private users, network and IPC, no
capabilities, system call filters. Devices by cgroup, limits of memory and tasks, restarts and timeouts are the
service manager's own and cannot be had this way. Runs as root, in a mount and PID namespace of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import grp
import os
import pwd
import resource
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

NOTIFY_SOCKET = "/run/notify"
_NEWNS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
_ALL_NAMESPACES = {0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000}
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NOT_EQUAL, _MASKED_EQUAL = 1, 7
_BASE = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "RuntimeDirectory": "/run"}

libc = ctypes.CDLL(None, use_errno=True)
Unit = dict[str, list[str]]


class _Argument(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def read_unit(path: Path, without: str) -> Unit:
    """The settings by name, each with its values in order."""
    unit: Unit = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#") and not (without and without in line):
            unit.setdefault(name, []).append(value)
    return unit


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("unit", type=Path)
    parser.add_argument("--without", default="")
    options = parser.parse_args()
    unit = read_unit(options.unit, options.without)
    user = pwd.getpwnam(unit["User"][0])
    make_folders(unit, user)
    mount(unit)
    for setting, flag in {"PrivateNetwork": _NEWNET, "PrivateIPC": _NEWIPC}.items():
        if unit.get(setting) == ["yes"]:
            checked(libc.unshare(flag), setting)
    become(unit, user)
    filter_calls(unit)
    command = shlex.split(unit["ExecStart"][0])
    os.execve(command[0], command, environment(unit, user))


def make_folders(unit: Unit, user: pwd.struct_passwd) -> None:
    for setting, base in _BASE.items():
        for name in unit.get(setting, []):
            path = Path(base, name)
            path.mkdir(exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
            path.chmod(int(unit.get(f"{setting}Mode", ["0755"])[0], 8))


def mount(unit: Unit) -> None:
    """ProtectSystem=strict, ProtectHome=yes, PrivateTmp=yes, ProtectProc=invisible, Protect…="""
    writable = [f"{base}/{name}" for setting, base in _BASE.items() for name in unit.get(setting, [])]
    for path in [*writable, *unit["ReadWritePaths"][0].split()]:
        run_mount("--bind", path, path)
    run_mount("-t", "proc", "-o", "hidepid=invisible", "proc", "/proc")
    run_mount("--bind", "/proc/sys", "/proc/sys")
    run_mount("-o", "remount,bind,ro", "/proc/sys")
    run_mount("-t", "sysfs", "-o", "ro", "sysfs", "/sys")
    for folder in ("/tmp", "/var/tmp"):
        run_mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", folder)
    for folder in ("/home", "/root"):
        run_mount("-t", "tmpfs", "-o", "mode=000,ro", "tmpfs", folder)
    run_mount("-o", "remount,bind,ro", "/")


def become(unit: Unit, user: pwd.struct_passwd) -> None:
    """The unit's user, in a user namespace that knows only root and this one, without a capability to gain."""
    os.setgroups([user.pw_gid, *(group.gr_gid for group in grp.getgrall() if user.pw_name in group.gr_mem)])
    if unit["PrivateUsers"] == ["yes"]:
        enter_user_namespace(user)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NoNewPrivileges")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(unit["UMask"][0], 8))
    os.chdir("/")


def enter_user_namespace(user: pwd.struct_passwd) -> None:
    """The maps are written from outside, by a process that stayed there."""
    ours, theirs = socket.socketpair()
    pid = os.getpid()
    if (helper := os.fork()) == 0:
        theirs.recv(1)
        for name, number in {"uid_map": user.pw_uid, "gid_map": user.pw_gid}.items():
            Path(f"/proc/{pid}/{name}").write_text(f"0 0 1\n{number} {number} 1\n")
        os._exit(0)
    checked(libc.unshare(_NEWUSER), "PrivateUsers")
    ours.send(b"x")
    if os.waitpid(helper, 0)[1] != 0:
        raise OSError("the maps of the user namespace could not be written")


def filter_calls(unit: Unit) -> None:
    """SystemCallFilter= with its SystemCallErrorNumber=EPERM, then what other settings filter."""
    allowed: set[str] = set()
    for value in unit["SystemCallFilter"]:
        names = {name for word in value.removeprefix("~").split() for name in expand(word)}
        allowed = allowed - names if value.startswith("~") else allowed | names
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    filters = [seccomp.seccomp_init(_ERRNO | errno.EPERM), seccomp.seccomp_init(_ALLOW)]
    # What execve needs stays allowed, as under systemd.
    for name in allowed | {"execve", "exit", "exit_group", "rt_sigreturn"}:
        add_rule(seccomp, filters[0], _ALLOW, name)
    for code, name, argument in other_rules():
        add_rule(seccomp, filters[1], _ERRNO | code, name, argument)
    # The one that denies unless allowed goes last: it may deny what loads filters.
    for made in reversed(filters):
        checked(seccomp.seccomp_load(ctypes.c_void_p(made)), "a system call filter")


def other_rules() -> Iterator[tuple[int, str, tuple[int, int, int, int] | None]]:
    """RestrictAddressFamilies=AF_UNIX, RestrictNamespaces, RestrictSUIDSGID, LockPersonality: (errno, call, when)."""
    yield errno.EAFNOSUPPORT, "socket", (0, _NOT_EQUAL, socket.AF_UNIX, 0)
    yield errno.ENOSYS, "clone3", None
    yield errno.EPERM, "setns", None
    for flag in _ALL_NAMESPACES:
        yield errno.EPERM, "clone", (0, _MASKED_EQUAL, flag, flag)
        yield errno.EPERM, "unshare", (0, _MASKED_EQUAL, flag, flag)
    for call, mode in {
        "chmod": 1,
        "fchmod": 1,
        "fchmodat": 2,
        "mkdir": 1,
        "mkdirat": 2,
        "open": 2,
        "openat": 3,
    }.items():
        for bit in (0o4000, 0o2000):
            yield errno.EPERM, call, (mode, _MASKED_EQUAL, bit, bit)
    yield errno.EPERM, "personality", (0, _NOT_EQUAL, 0, 0)


def add_rule(
    seccomp: ctypes.CDLL, made: int, action: int, name: str, argument: tuple[int, int, int, int] | None = None
) -> None:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:  # a call of another architecture
        return
    count, arguments = (1, ctypes.byref(_Argument(*argument))) if argument else (0, None)
    added = seccomp.seccomp_rule_add_array(ctypes.c_void_p(made), ctypes.c_uint32(action), number, count, arguments)
    checked(added, f"a filter for {name}")


def expand(word: str) -> Iterator[str]:
    """The calls that a word of SystemCallFilter= stands for, by this system's systemd."""
    if not word.startswith("@"):
        yield word
        return
    listed = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines()[1:]:
        if (inner := line.strip()) and not inner.startswith("#"):
            yield from expand(inner)


def environment(unit: Unit, user: pwd.struct_passwd) -> dict[str, str]:
    made = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": user.pw_dir, "USER": user.pw_name}
    made |= dict(entry.split("=", 1) for entry in unit.get("Environment", []))
    seconds = int(unit["WatchdogSec"][0])
    return made | {"NOTIFY_SOCKET": NOTIFY_SOCKET, "WATCHDOG_USEC": str(seconds * 1_000_000)}


def run_mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def checked(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno() or -result, f"{what} failed")


if __name__ == "__main__":
    main()
