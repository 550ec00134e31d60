"""`vlmd doctor`: everything vlmd needs, one line each."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Any

import click

from vlmd.cli.client import Client
from vlmd.cli.errors import NotRunning
from vlmd.cli.words import json_option, print_json
from vlmd.config import Given, Settings, load_settings
from vlmd.core.errors import ConfigError
from vlmd.core.names import shown
from vlmd.doctor.findings import Finding, Setting, fail, ok
from vlmd.doctor.registry import examine


@click.command()
@json_option
@click.pass_obj
def doctor(given: Given, as_json: bool) -> None:
    """Look for what is wrong with this machine, the configuration, or what vlmd keeps. It changes nothing.

    Ends with exit code 1 when something fails; what is only a warning does not.
    """
    findings = _findings(given)
    sound = all(finding.level != "fail" for finding in findings)
    if as_json:
        print_json({"ok": sound, "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            _print(finding)
    if not sound:
        sys.exit(1)


def _findings(given: Given) -> list[Finding]:
    try:
        settings = load_settings(given)
    except ConfigError as error:
        remedy = "correct it, and run `vlmd doctor` again: everything else depends on it"
        return [fail("config", problem, remedy) for problem in error.problems]
    source = settings.source or "there is no config.toml; every setting has its default"
    first = ok("config", str(source))
    return [first, *examine(Setting(settings, os.environ, _status(settings)), _say)]


def _status(settings: Settings) -> dict[str, Any] | None:
    try:
        return Client(settings).status()
    except NotRunning:
        return None


def _say(what: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[Klooking at: {what}\r", err=True, nl=False)


def _print(finding: Finding) -> None:
    click.echo(f"{finding.level:4}  {finding.check}: {shown(finding.found)}")
    if finding.remedy is not None:
        click.echo(f"      → {shown(finding.remedy)}")
