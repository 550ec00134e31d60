"""Logs: one searchable line a record, priorities for journald alone, and a broken stderr that stops nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BEGIN = """
import logging, sys
from vlmd import log
from vlmd.log import about
log.fill_descriptors()
log.to_stderr(logging.INFO, "cuda:1")
logger = logging.getLogger("vlmd.test")
"""


def ran(code: str, stderr: Any, **environment: str) -> int:
    command = [sys.executable, "-c", BEGIN + code]
    return subprocess.run(command, stderr=stderr, cwd=ROOT, env={**os.environ, **environment}, timeout=60).returncode


def lines(code: str, tmp_path: Path, **environment: str) -> list[str]:
    with (tmp_path / "log").open("wb") as stderr:
        assert ran(code, stderr, **environment) == 0
    return (tmp_path / "log").read_text().splitlines()


def test_what_a_line_is_about_stands_before_its_message(tmp_path: Path) -> None:
    code = """
logger.warning("lost: %s", "why", extra=about(job=12, window={34, 5}, lease=56))
logger.info("of another", extra=about(job=1, device="cpu:0"))
logger.debug("too small a matter")
print("a library", file=sys.stderr)
log.take_prints()
print("another", "library\\nof two lines")
import warnings; warnings.warn("old")
"""
    first, second, printed, *others = lines(code, tmp_path)
    assert first.endswith(" WARNING vlmd.test: job=12 window=5 window=34 lease=56 device=cuda:1: lost: why")
    assert second.endswith(" INFO vlmd.test: job=1 device=cpu:0: of another")
    assert printed == "a library"
    assert [line.split(": ")[-1] for line in others[:2]] == ["another library", "of two lines"]
    assert "WARNING py.warnings: device=cuda:1: " in others[2]


def test_a_record_is_one_line_without_control_characters_and_of_bounded_length(tmp_path: Path) -> None:
    code = r"""
logger.error("evil \x1b[2J\n<3>forged \u202e%s", "x" * 100_000 + " the end")
try:
    raise ValueError("inner\nlines")
except ValueError:
    logger.exception("failed")
logger.error("%d", "nonsense")
logger.error("last")
"""
    first, second, *_, last = lines(code, tmp_path)
    assert r"evil \x1b[2J | <3>forged \u{202e}xxx" in first
    assert first.endswith("x the end") and len(first.encode()) <= 4000
    assert "Traceback" in second and second.endswith("ValueError: inner | lines")
    assert last.endswith("last"), "a call that logs nonsense stops nothing"


@pytest.mark.parametrize("named", [True, False])
def test_priorities_are_for_the_journal_alone(tmp_path: Path, named: bool) -> None:
    (tmp_path / "log").touch()
    facts = (tmp_path / "log").stat()
    stream = f"{facts.st_dev}:{facts.st_ino + (not named)}"
    (line,) = lines('logger.warning("hear")', tmp_path, JOURNAL_STREAM=stream)
    assert line.startswith("<4>vlmd.test: ") == named


def test_a_full_disk_costs_lines_only() -> None:
    with open("/dev/full", "wb") as stderr:
        assert ran('logger.error("lost"); log.say("too")', stderr) == 0


def test_a_reader_that_is_gone_costs_lines_only() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = 'logger.error("lost"); log.take_prints(); print("lost too")'
    assert ran(code, writer) == 0
    os.close(writer)


def test_a_closed_stderr_is_no_file_that_is_opened_next(tmp_path: Path) -> None:
    code = f"""{BEGIN}
with open({str(tmp_path / "precious")!r}, "w") as precious:
    logger.error("not in there")
"""
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code], cwd=ROOT, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "precious").read_text() == ""


def test_a_reader_that_does_not_read_holds_nobody_up_and_is_told_what_it_missed() -> None:
    reader, writer = os.pipe()
    code = """
import time
for number in range(200):
    logger.error("number %d %s", number, "x" * 1000)
print("written", flush=True)
sys.stdin.read(1)
logger.error("the next one")
"""
    command = [sys.executable, "-c", BEGIN + code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=writer, cwd=ROOT, text=True) as process:
        os.close(writer)
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "written\n"
        with os.fdopen(reader) as stderr:
            process.stdin.write("x")
            process.stdin.close()
            heard = stderr.read().splitlines()
    numbered = [line for line in heard if "number" in line]
    assert 0 < len(numbered) < 200
    if "the next one" in heard[-1]:
        assert heard[-2] == f"{200 - len(numbered)} lines were lost here: nobody read them"
