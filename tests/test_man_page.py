"""The man page and the completion scripts that are shipped: up to date, whole, and understood by what reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tools.make_man_page import PAGE, man_page, verbs
from vlmd.cli import cli

ROOT = Path(__file__).parents[1]
BASH = ROOT / "tools/share" / "bash-completion" / "completions" / "vlmd"
CONFIG = '[models.m]\npath = "vlmd-demo"\n[pipelines.soccer]\nmodel = "m"\nlabels = ["Goal"]\n'


def test_the_shipped_page_is_made_from_the_help() -> None:
    assert PAGE.read_text() == man_page(), "make man"


def test_every_verb_and_option_is_in_it() -> None:
    page = man_page().replace("\\-", "-")
    for context in verbs(click.Context(cli, info_name="vlmd")):
        assert f"\n.SS {context.command_path}" in page
        section = page.partition(f"\n.SS {context.command_path}")[2].partition("\n.S")[0]
        options = [param for param in context.command.params if isinstance(param, click.Option)]
        assert [name for option in options for name in option.opts if name not in section] == []


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man here")
def test_man_shows_it_without_a_warning() -> None:
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(PAGE)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stderr == ""


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder with a command `vlmd` in it, and a config file."""
    (tmp_path / "config.toml").write_text(CONFIG)
    script = tmp_path / "vlmd"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m vlmd "$@"\n')
    script.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("vlmd can", ["cancel"]),
        ("vlmd config ", ["check", "path", "show"]),
        ("vlmd -c config.toml jobs -p s", ["soccer"]),
        ("vlmd -c config.toml show ", []),
    ],
)
def test_bash_completes_and_says_nothing_else(shell: Path, line: str, offered: list[str]) -> None:
    words = " ".join(f"'{word}'" for word in line.split(" "))
    code = f"source {BASH}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _vlmd_completion vlmd"
    environment = {**os.environ, "PATH": f"{shell}:{os.environ['PATH']}", "HOME": str(shell)}
    command = ["bash", "-c", f'{code}; printf "%s\\n" "${{COMPREPLY[@]}}"']
    ran = subprocess.run(command, capture_output=True, text=True, cwd=shell, env=environment, timeout=60)
    assert (sorted(ran.stdout.split()), ran.stderr) == (offered, "")
