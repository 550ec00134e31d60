"""Drops mutants of videos through a real daemon and checks that each ends in one of the ways there are.

    python tools/fuzz.py --mutants 2000 --seed 1 FOLDER...
    python tools/fuzz.py --seed 1 --only 1234 --keep /tmp/mutants FOLDER...      just write mutant 1234

Passes if every mutant is done (with a result that says what it covers), failed, quarantined or refused (with a
reason), no worker is lost, the daemon runs from the beginning to the end, and every portion ends in time. A
decoder that dies of a signal is reported and its mutant kept: it cost nothing but itself. The same seed, number
and originals make the same mutant.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_kit import campaign, report
from fuzz_kit.mutants import mutant


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options = _options()
    originals = read_originals(options.folders, options.max_bytes)
    if options.only is not None:
        one = mutant(options.seed, options.only, originals)
        options.keep.mkdir(parents=True, exist_ok=True)
        (options.keep / one.name).write_bytes(one.data)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    outcome = campaign.run(folder, originals, options.seed, options.mutants, options.portion, options.keep)
    print("\n".join(report.lines(outcome)))
    if outcome.broken:
        print(f"everything is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def read_originals(folders: list[Path], most: int) -> dict[str, bytes]:
    """Videos of up to `most` bytes by their names."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if 0 < path.stat().st_size <= most]
    return {path.name.replace(" ", "-"): path.read_bytes() for path in paths}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="videos to make mutants of")
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="write this mutant to --keep, and do no more")
    parser.add_argument("--portion", type=int, default=100, help="mutants dropped at a time")
    parser.add_argument("--max-bytes", type=int, default=1_000_000, help="larger originals are left out")
    parser.add_argument("--keep", type=Path, default=Path("mutants"), help="where mutants that did harm are kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
