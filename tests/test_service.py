"""The files for a service of the machine agree with each other, and systemd agrees with the units."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vlmd.config import load_settings

FOLDER = Path(__file__).parents[1] / "systemd"
FETCH = FOLDER / "vlmd-fetch@.service"
UNITS = {"system": FOLDER / "vlmd.service", "user": FOLDER / "user" / "vlmd.service"}
MOST_EXPOSED = 6
"""Tenths."""


def values(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNITS[unit].read_text(), re.MULTILINE)


def test_the_service_may_write_where_its_configuration_says() -> None:
    paths = load_settings(FOLDER / "config.toml").paths
    assert values("system", "ReadWritePaths") == [f"{paths.inbox} {paths.results}"]
    assert values("system", "StateDirectory") == [paths.state.name] and paths.state.parent == Path("/var/lib")
    assert values("system", "RuntimeDirectory") == [paths.socket.parent.name]
    made = re.findall(r"^d (\S+)", (FOLDER / "vlmd.tmpfiles.conf").read_text(), re.MULTILINE)
    assert {str(paths.inbox), str(paths.results)} <= set(made)


@pytest.mark.parametrize("unit", UNITS)
def test_the_manager_waits_longer_than_a_stop_may_take(unit: str) -> None:
    (seconds,) = values(unit, "TimeoutStopSec")
    assert int(seconds) > load_settings(FOLDER / "config.toml").limits.stop_seconds


@pytest.mark.parametrize("unit", UNITS)
def test_decoders_may_lock_themselves_up(unit: str) -> None:
    *_, last = values(unit, "SystemCallFilter")
    assert not last.startswith("~")
    assert {"landlock_create_ruleset", "landlock_restrict_self", "seccomp"} <= set(last.split())


def test_what_fetches_writes_where_the_daemon_reads() -> None:
    fetch = FETCH.read_text()
    assert load_settings(FOLDER / "config.toml").paths.models == Path("/var/lib/vlmd/models")
    assert "StateDirectory=vlmd\n" in fetch and "User=vlmd\n" in fetch
    assert values("system", "ExecStart")[0].removesuffix(" run") + " models fetch %i\n" in fetch
    assert "\n#LoadCredential=hf_token:" in fetch


@pytest.mark.parametrize("unit", [*UNITS, "fetch"])
def test_systemd_finds_nothing_wrong_with_a_unit(unit: str, tmp_path: Path) -> None:
    analyze(unit, tmp_path, "verify", "--man=no")


def test_the_service_is_hardly_exposed(tmp_path: Path) -> None:
    analyze("system", tmp_path, "security", "--offline=true", f"--threshold={MOST_EXPOSED}")


def analyze(unit: str, folder: Path, verb: str, *flags: str) -> None:
    """With a program that exists here in place of vlmd."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copy = folder / "vlmd.service"
    text = UNITS.get(unit, FETCH).read_text()
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    scope = ["--user"] if unit == "user" else []
    command = ["systemd-analyze", *scope, verb, *flags, str(copy)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
