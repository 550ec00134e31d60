"""A hundred mutants of real clips through a real daemon: each ends in one of the ways there are. `tools/fuzz.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_a_hundred_mutants_end_as_they_can(videos: Path, tmp_path: Path) -> None:
    tool = [sys.executable, "tools/fuzz.py", "--keep", str(tmp_path), "--max-bytes", "100000"]
    done = subprocess.run(
        [*tool, "--mutants", "100", "--seed", "2", str(videos / "clips")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.splitlines()[0] == "100 mutants"
    assert done.stdout.splitlines()[-1] == "everything held"
