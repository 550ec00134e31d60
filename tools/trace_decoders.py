"""Traces every decoder of a daemon, and checks that hostile videos reached nothing through one.

    python tools/trace_decoders.py FOLDER...        folders of videos, hostile ones above all

A real daemon with scripted workers runs over them under strace. From the moment a decoder locks itself up it may
open, create, connect to or run nothing; before it, it opens the Python installation, /proc/self and /etc/ld.so.*,
and never anything of the inbox by name: the video is a descriptor it is handed. Exit code 1 if one did more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos_kit.stage import set_up
from trace_kit.running import can_trace, traced_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    options = parser.parse_args()
    if not can_trace():
        print("strace is missing, or may not trace here (see /proc/sys/kernel/yama/ptrace_scope)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="trace-"))
    stage = set_up(folder, workers=2, window={"length": 4.0, "step": 4.0, "fps": 0.5}, limits={"lease_windows": 64})
    videos = [path for source in options.folders for path in sorted(source.iterdir()) if path.is_file()]
    for video in videos:
        stage.drop(video)
    judged = traced_run(stage, [video.name for video in videos])
    print(f"{len(videos)} files, {judged.decoders} decoders, {judged.locked} of them locked up")
    print(f"{sum(judged.before.values())} files of the installation opened before, {len(judged.before)} different")
    print(f"tried from within and refused: {dict(judged.refused) or 'nothing'}")
    print("\n".join([f"VIOLATED: {sentence}" for sentence in judged.violations[:50]] or ["nothing else was touched"]))
    shutil.rmtree(folder)
    return 1 if judged.violations else 0


if __name__ == "__main__":
    sys.exit(main())
