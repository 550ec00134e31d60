"""Landlock by its system calls: a domain that may touch no file, no TCP port, no process outside itself.

Numbers and bits: linux/landlock.h. An old kernel knows fewer accesses; asking for one it does not know is an
error, so the set follows the ABI version the kernel names.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_CREATE_RULESET = 444
_RESTRICT_SELF = 446
"""Both numbers are the same on every architecture."""
_VERSION_FLAG = 1

_FILE_ACCESSES = {1: 13, 2: 14, 3: 15, 5: 16}
"""ABI version to the number of file accesses that exist from then on; they are the lowest bits."""
_NETWORK = 0b11
"""bind and connect over TCP, from ABI 4."""
_SCOPES = 0b11
"""abstract Unix sockets and signals, from ABI 6."""

_ABSENT = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
"""Not built in, switched off at boot, or withheld by a filter around us."""


def abi_version() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    version = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    if version >= 0:
        return int(version)
    if (code := ctypes.get_errno()) in _ABSENT:
        return 0
    raise OSError(code, "asking for the Landlock version failed")


def restrict_self(abi: int) -> None:
    """Deny this thread, and all it starts, every access that `abi` handles. no_new_privs must be set."""
    attributes = _ruleset(abi)
    libc = _libc()
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset failed")
    try:
        if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            raise OSError(ctypes.get_errno(), "landlock_restrict_self failed")
    finally:
        os.close(ruleset)


def _ruleset(abi: int) -> bytes:
    """struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped; those the ABI has."""
    accesses = max(count for version, count in _FILE_ACCESSES.items() if version <= abi)
    fields = [(1 << accesses) - 1]
    if abi >= 4:
        fields.append(_NETWORK)
    if abi >= 6:
        fields.append(_SCOPES)
    return struct.pack(f"={len(fields)}Q", *fields)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
