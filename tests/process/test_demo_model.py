"""The shipped model through the whole pipeline: the demo as a user runs it, and real clips it must see nothing in."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from vlmd.demo.stage import PIPELINE, set_up

CLIPS = 16
VLMD = [sys.executable, "-P", "-m", "vlmd"]


def test_the_demo_finds_the_events_of_matches_nobody_trained_on(tmp_path: Path) -> None:
    command = [*VLMD, "demo", "--seconds", "60", "--seed", "3", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    figures = re.match(r"demo: F1 (\d\.\d{3}) precision (\d\.\d{3}) recall (\d\.\d{3}) \(.*\)$", last)
    assert figures, last
    assert float(figures[1]) >= 0.90
    results = sorted(path.name for path in (tmp_path / "demo" / "results").rglob("*.json"))
    assert results == ["match-1.mp4.json", "match-2.mp4.json"]


def test_it_sees_nothing_in_real_clips_and_loses_no_worker_over_them(videos: Path, tmp_path: Path) -> None:
    """The smaller half of them; all go through scripted workers in `test_everything_at_once`."""
    stage = set_up(tmp_path, workers=2)
    inbox = tmp_path / "inbox" / PIPELINE
    inbox.mkdir(parents=True, exist_ok=True)
    for path in sorted((videos / "clips").iterdir(), key=lambda path: path.stat().st_size)[:CLIPS]:
        shutil.copy(path, inbox)
    command = [*VLMD, "--config", str(stage.config), "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "the worker is gone" not in done.stderr
    results = [json.loads(stage.result(path.name).read_text()) for path in inbox.iterdir()]
    assert len(results) == CLIPS
    assert all(result["coverage"]["failed"] == 0 for result in results)
    windows = sum(result["coverage"]["windows"] for result in results)
    eventless = sum(result["answers"]["none"] for result in results)
    assert eventless >= 0.95 * windows
