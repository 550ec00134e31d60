"""Drops tens of thousands of files at once, and measures until each has its job or its refusal.

    python tools/burst.py --files 50000

None of them is a video: what is measured is the inbox, the queue, and whether the daemon still answers. One in ten
lies in a folder that no pipeline is named after, and is refused. Figures go to stdout.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos_kit.daemon import Daemon, scripted
from chaos_kit.stage import Stage, set_up

_SECONDS = 1800.0


def main() -> int:
    count = _options().files
    with tempfile.TemporaryDirectory(prefix="burst-") as name:
        stage = set_up(Path(name), inbox={"rescan_seconds": 30.0})
        daemon = scripted(stage)
        try:
            daemon.start()
            daemon.until_answering()
            before = _memory(daemon)
            begun = time.monotonic()
            _drop(stage, count)
            dropped = time.monotonic()
            answers = _watch(daemon, count)
            done = time.monotonic()
            print(f"files dropped                        {count} in {dropped - begun:.1f} s")
            print(
                f"registered or refused                {_rows(daemon, '1')}, {done - dropped:.1f} s after the last one"
            )
            print(f"refused among them                   {_rows(daemon, 'state = ' + repr('refused'))}")
            print(f"longest wait for the status          {max(answers):.2f} s of {len(answers)} requests")
            print(f"the supervisor's memory before, after  {before:.0f}, {_memory(daemon):.0f} MiB")
        finally:
            daemon.close()
    return 0


def _drop(stage: Stage, count: int) -> None:
    stranger = stage.inbox.parent / "nobody"
    stranger.mkdir()
    for number in range(count):
        folder = stranger if number % 10 == 0 else stage.inbox
        (folder / f"{number}.mp4").write_bytes(b"no video")


def _watch(daemon: Daemon, count: int) -> list[float]:
    """Ask for the status again and again until every file is known; how long each answer took."""
    took: list[float] = []

    def known() -> bool:
        begun = time.monotonic()
        assert daemon.status() is not None, "the daemon answers"
        took.append(time.monotonic() - begun)
        return _rows(daemon, "1") == count

    daemon.until(known, "every file is registered or refused", _SECONDS)
    return took


def _rows(daemon: Daemon, condition: str) -> int:
    return sum(row["n"] for row in daemon.rows(f"SELECT count(*) AS n FROM files WHERE {condition}"))


def _memory(daemon: Daemon) -> float:
    """Resident, in MiB."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50_000)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
