"""The running daemon, and the unit that systemd runs it by."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from vlmd import __version__
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn

_UNIT = "vlmd.service"
_SECONDS = 10


def daemon(setting: Setting) -> list[Finding]:
    check, status = "daemon", setting.status
    if status is None:
        return [warn(check, f"none answers at {setting.settings.paths.socket}", "start it with `vlmd run`")]
    if status["version"] != __version__:
        found = f"it is vlmd {status['version']}, this is {__version__}"
        return [fail(check, found, "start the daemon anew, so that both are of one version")]
    well = ok(check, f"vlmd {status['version']} answers, pid {status['pid']}, up for {status['uptime_s']:.0f} s")
    return [well, *(_not_loaded(model) for model in status.get("unloadable", []))]


def _not_loaded(model: dict[str, str]) -> Finding:
    """As the worker that tried said it."""
    return fail(f"loading {model['model']}", f"the daemon cannot load it: {model['reason']}", model["remedy"])


def unit(setting: Setting) -> list[Finding]:
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        return [ok("systemd", "systemd does not run this machine")]
    command = ["systemctl", "show", _UNIT, "--property=LoadState,ActiveState,UnitFileState"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [warn("systemd", f"systemctl does not answer ({error})", "see `systemctl status`")]
    return [judged_unit(dict(line.split("=", 1) for line in ran.stdout.splitlines() if "=" in line))]


def judged_unit(facts: dict[str, str]) -> Finding:
    state, enabled = facts.get("ActiveState", "unknown"), facts.get("UnitFileState") or "not enabled"
    if facts.get("LoadState") != "loaded":
        return ok("systemd", f"{_UNIT} is not installed")
    found = f"{_UNIT} is {state}, {enabled}"
    if state == "failed":
        return fail("systemd", found, f"see `journalctl -u {_UNIT} -e`, then `systemctl restart {_UNIT}`")
    if enabled != "enabled":
        return warn("systemd", found, f"`systemctl enable {_UNIT}` starts it with the machine")
    return ok("systemd", found)
