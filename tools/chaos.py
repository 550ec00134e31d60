"""Kills parts of a running daemon at random moments, and checks that nothing is lost, repeated or left behind.

    python tools/chaos.py --kills 100 --supervisor-kills 50 --seed 1
    python tools/chaos.py --kills 20 --supervisor-kills 0 --stops 20 --progress-seconds 5
    python tools/chaos.py --model demo --kills 20 --supervisor-kills 5 --videos FOLDER

First the real daemon runs over some videos undisturbed. Then it runs over them again while its workers and
decoders, and the supervisor itself, are killed with SIGKILL until all kills are done, and then to the end.
Workers that are stopped (`--stops`) have to be killed by the daemon itself. On a busy machine it may do that to others
that are merely slow, and a limit so short then looks like a loss. What must hold is in chaos_kit/checks.py, who is
spared in chaos_kit/victims.py. Figures go to stdout, progress to stderr; the exit code is 1 if anything did not hold,
and the scratch folder is kept then.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos_kit import checks, reference, report, videos
from chaos_kit.disturb import Campaign, Disturbance

_FILMS, _FILM_SECONDS = 3, 20
_PAUSE = {"scripted": 0.7, "demo": 12.0}
"""Longest pause before a strike, in seconds: a real model has to be loaded after most of them."""
logger = logging.getLogger("chaos")


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    options = _options()
    campaign = Campaign(
        model=options.model,
        kills=options.kills,
        supervisor_kills=options.supervisor_kills,
        seed=options.seed,
        workers=options.workers,
        pause=_PAUSE[options.model] if options.pause is None else options.pause,
        stops=options.stops,
        progress_seconds=options.progress_seconds,
    )
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    broken = run(campaign, folder, options.videos)
    if broken:
        logger.error("everything is kept in %s", folder)
    else:
        shutil.rmtree(folder)
    return 1 if broken else 0


def run(campaign: Campaign, folder: Path, source: Path | None) -> list[str]:
    """The whole campaign below `folder`; prints its figures. Returns what did not hold."""
    films = _copied(source) if source else _rendered(campaign, folder / "films")
    logger.info("undisturbed run over %d videos", len(films))
    undisturbed = reference.make(folder / "undisturbed", campaign.model, films, campaign.workers)
    usable = [film for film in films if (undisturbed.results / "match" / f"{film.name}.json").exists()]
    if not usable:
        return ["no video has a result even if nobody disturbs the daemon"]
    logger.info("disturbed run over %d videos", len(usable))
    outcome = Disturbance(campaign, folder / "disturbed", usable, undisturbed).run()
    broken = checks.violations(campaign, outcome, undisturbed)
    print("\n".join([*report.lines(campaign, outcome), *(f"VIOLATED: {sentence}" for sentence in broken)]))
    print(f"{len(broken)} violations" if broken else "everything held")
    return broken


def _copied(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _rendered(campaign: Campaign, folder: Path) -> list[Path]:
    """Films of our own: of a game, if the demo's model is to see something in them."""
    folder.mkdir(parents=True)
    paths = [folder / f"film {number}.mp4" for number in range(_FILMS)]
    for number, path in enumerate(paths):
        if campaign.model == "demo":
            from vlmd.demo.render import render_match

            render_match(path, 1_000_000 + campaign.seed + number, _FILM_SECONDS)
        else:
            videos.render(path, _FILM_SECONDS, campaign.seed + number)
    return paths


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["scripted", "demo"], default="scripted", help="who answers")
    parser.add_argument("--kills", type=int, default=20, help="workers and decoders to kill")
    parser.add_argument("--supervisor-kills", type=int, default=5)
    parser.add_argument("--stops", type=int, default=0, help="workers to stop for good, as if they hung")
    parser.add_argument(
        "--progress-seconds", type=float, default=120.0, help="after so much silence the daemon has to kill a worker"
    )
    parser.add_argument("--pause", type=float, help="longest pause before a strike, in seconds")
    parser.add_argument("--seed", type=int, default=1, help="of every random choice")
    parser.add_argument("--videos", type=Path, help="folder of videos; without it, films are rendered")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
