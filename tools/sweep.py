"""Kills the supervisor at its first side effect, at its second, at its third, to the last, and looks each time.

    python tools/sweep.py
    python tools/sweep.py --every 10

One run with scripted workers over a film of a few windows tells how many side effects there are: files made and
removed, writes, syncs. Then the daemon is killed in place of the first, started again and run to the end; then in
place of the second, and so on. Nothing acknowledged may be lost, nothing answered be asked again, and the result must
be the undisturbed run's. Needs a C compiler. A merger's few side effects: tests/process/test_merger.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos_kit import reference, videos
from chaos_kit.sweep import Sweep

from tests import faults

logger = logging.getLogger("sweep")
_FILM_SECONDS = 2.0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    options = _options()
    broken: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sweep-") as name:
        folder = Path(name)
        film = videos.render(folder / "film.mp4", _FILM_SECONDS, 1)
        undisturbed = reference.make(folder / "undisturbed", "scripted", [film], 1)
        sweep = Sweep(folder, film, undisturbed, faults.build(folder))
        effects = sweep.side_effects()
        numbers = range(options.first, len(effects) + 1, options.every)
        for number in numbers:
            broken += sweep.killed_at(number)
            if number % 10 == 0:
                logger.info("killed at %d of %d, %d violations", number, len(effects), len(broken))
    counts = Counter(effect.kind for effect in effects)
    print(f"side effects of a run  {len(effects)}: {', '.join(f'{n} {kind}' for kind, n in counts.most_common())}")
    print(f"killed at              {len(numbers)} of them")
    print("\n".join([*(f"VIOLATED: {sentence}" for sentence in broken), f"{len(broken)} violations"]))
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="kill at every so many side effects only")
    parser.add_argument("--first", type=int, default=1, help="begin with this one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
