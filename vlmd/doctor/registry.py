"""Every check, in the order they run."""

from __future__ import annotations

from collections.abc import Callable

from vlmd.doctor import database, decoding, folders, gpu, models, service, system
from vlmd.doctor.findings import Check, Finding, Setting, fail

CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", system.software),
    ("kernel", system.kernel),
    ("clock", system.clock),
    ("folders", folders.permissions),
    ("disks", folders.filesystems),
    ("notices", folders.notices),
    ("database", database.database),
    ("models", models.configured),
    ("decoder", decoding.decoder),
    ("GPUs", gpu.hardware),
    ("daemon", service.daemon),
    ("systemd", service.unit),
)
"""(what it looks at, the check)"""


def examine(setting: Setting, say: Callable[[str], None]) -> list[Finding]:
    """Run every check; `say` hears what is being looked at. One that fails itself is a finding, and stops no other."""
    findings = []
    for what, check in CHECKS:
        say(what)
        try:
            findings += check(setting)
        except Exception as error:  # noqa: BLE001 - a check meets whatever is wrong with a machine
            remedy = "report this, with what stands here"
            findings.append(fail(what, f"this check itself failed: {type(error).__name__}: {error}", remedy))
    return findings
