"""Cuts the power at random moments, in simulation, and checks that nothing acknowledged is lost.

    python tools/powercut.py --cuts 1000
    python tools/powercut.py --cuts 200 --synchronous 1      must find losses: SQLite then syncs too seldom

A real daemon with scripted workers answers a few films while everything it does to its disk is recorded; its
supervisor is killed a few times meanwhile. Then the disk is put together as it may be after a cut at any moment: half
of the cuts lose all that was not synced, the others keep a random part of it, some of it torn. It is opened as the
daemon would; every answer, job and result acknowledged before the cut has to be there. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos_kit import powercut, videos

from tests import faults

_FILMS, _FILM_SECONDS, _KILLS = 3, 8, 4


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    options = _options()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="powercut-") as name:
        folder = Path(name)
        films = [videos.render(folder / f"film {n}.mp4", _FILM_SECONDS, options.seed + n) for n in range(_FILMS)]
        kills = [dice.randint(20, 150) for _ in range(_KILLS)]
        recording = powercut.record(folder / "recorded", faults.build(folder), films, kills, options.synchronous)
        begun = time.monotonic()
        found = powercut.cut(recording, options.cuts, options.seed, folder / "after")
    print(f"side effects recorded    {len(recording.effects)}: {powercut.kinds(recording)}")
    print(f"supervisors killed       {len(kills)}")
    print(f"power cuts               {found.cuts} in {time.monotonic() - begun:.0f} s")
    print(f"acknowledged before them {found.acknowledged} in all")
    print(f"lost or damaged          {len(found.lost)}, in {len({line.split(':')[0] for line in found.lost})} cuts")
    print("\n".join(f"VIOLATED: {sentence}" for sentence in found.lost[:20]))
    return 1 if found.lost else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of every random choice")
    parser.add_argument("--synchronous", type=int, choices=[1, 2], default=2, help="2 is FULL, what vlmd uses")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
