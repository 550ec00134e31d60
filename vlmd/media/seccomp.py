"""A seccomp filter for what Landlock leaves open: sockets, new processes, other processes, names of files.

A classic BPF program (linux/filter.h) over struct seccomp_data (linux/seccomp.h). It names what is denied and
lets the rest through, so that a new libc does not break decoding; denied calls fail with EPERM. Threads may
be started: codecs use them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Iterator

# Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; (x86_64, aarch64),
# None where the architecture lacks the call. From 424 on they are the same everywhere.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # network and other ways to reach a service
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "mq_open": (240, 180),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # new programs and processes; clone and clone3 have rules of their own
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    # what Landlock does not hold, or not in its first versions: files by name
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_by_handle_at": (304, 265),
    # the kernel's larger doors
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_PRLIMIT = (302, 261)
_KILL = (62, 129)
_TGKILL = (234, 131)

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
"""Calls of the x32 ABI carry this bit and would slip past the numbers above (x86_64 only)."""

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6], little-endian on both
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_CLONE_THREAD = 0x00010000

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]
"""code, jump if true, jump if false, operand: struct sock_filter."""


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def numbers() -> dict[str, tuple[int | None, int | None]]:
    """Every system call the filter looks at, with its numbers on (x86_64, aarch64)."""
    conditional = {"clone": _CLONE, "clone3": _CLONE3, "prlimit64": _PRLIMIT, "kill": _KILL, "tgkill": _TGKILL}
    return _DENIED | conditional


def supported() -> bool:
    """Whether the numbers of this machine's system calls are known here."""
    return platform.machine() in _AUDIT_ARCH


def install_filter() -> bool:
    """Put the filter on this thread; False where the kernel has none. no_new_privs must be set."""
    program = list(_program(platform.machine(), os.getpid()))
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    libc = ctypes.CDLL(None, use_errno=True)
    argument = _Program(len(program), packed)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(argument), 0, 0) == 0:
        return True
    if (code := ctypes.get_errno()) == errno.EINVAL:
        return False
    raise OSError(code, "installing the seccomp filter failed")


def _program(machine: str, pid: int) -> Iterator[Instruction]:
    column = list(_AUDIT_ARCH).index(machine)
    deny = _return(_ERRNO | errno.EPERM)
    yield (_LOAD, 0, 0, _ARCH)
    yield (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine])
    yield _return(_KILL_PROCESS)
    yield (_LOAD, 0, 0, _NUMBER)
    if machine == "x86_64":
        yield (_JUMP_AT_LEAST, 0, 1, _X32_BIT)
        yield deny
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            yield from _rule(number, [deny])
    # ENOSYS: libc then falls back to clone, whose flags a filter can read
    yield from _rule(_CLONE3[column], [_return(_ERRNO | errno.ENOSYS)])
    yield from _rule(_CLONE[column], _if_argument(_JUMP_SET, _CLONE_THREAD))
    yield from _rule(_PRLIMIT[column], _if_argument(_JUMP_EQUAL, 0))
    yield from _rule(_KILL[column], _if_argument(_JUMP_EQUAL, pid))
    yield from _rule(_TGKILL[column], _if_argument(_JUMP_EQUAL, pid))
    yield _return(_ALLOW)


def _rule(number: int, verdict: Iterable[Instruction]) -> Iterator[Instruction]:
    """`verdict`, which must end in a return, for calls of this number only."""
    body = list(verdict)
    yield (_JUMP_EQUAL, 0, len(body), number)
    yield from body


def _if_argument(jump: int, operand: int) -> list[Instruction]:
    """Allow where the low half of the first argument passes the test, else deny."""
    return [
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (jump, 0, 1, operand),
        _return(_ALLOW),
        _return(_ERRNO | errno.EPERM),
    ]


def _return(verdict: int) -> Instruction:
    return (_RETURN, 0, 0, verdict)
