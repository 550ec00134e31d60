"""Python, the kernel, the clock."""

from __future__ import annotations

import platform
import sqlite3
import time

from vlmd import __version__
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn

_KERNEL = (5, 13)
"""The first with Landlock."""
_BUILT = 2026
"""A clock that shows an earlier year is wrong."""


def software(setting: Setting) -> list[Finding]:
    version = platform.python_version()
    found = f"vlmd {__version__}, Python {version}, SQLite {sqlite3.sqlite_version}, {platform.platform()}"
    return [ok("python", found)]


def kernel(setting: Setting) -> list[Finding]:
    return [judged_kernel(platform.system(), platform.release())]


def judged_kernel(system: str, release: str) -> Finding:
    if system != "Linux":
        return fail("kernel", f"this is {system}", "run vlmd on Linux: its decoders are locked up by Linux's means")
    numbers = release.split("-")[0].split(".")
    known = tuple(int(number) for number in numbers[:2] if number.isdecimal())
    if len(known) == 2 and known < _KERNEL:
        remedy = "use Linux 5.13 or newer, or set limits.require_sandbox = false where you trust every video"
        return fail("kernel", f"Linux {release} has no Landlock", remedy)
    return ok("kernel", f"Linux {release}")


def clock(setting: Setting) -> list[Finding]:
    return [judged_clock(time.gmtime().tm_year)]


def judged_clock(year: int) -> Finding:
    if year < _BUILT:
        return warn("clock", f"the clock says it is {year}", "set the clock, best by NTP (`timedatectl set-ntp true`)")
    return ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))
