"""The supervisor is killed at each of its side effects in turn; after each, the next start must bring all to an end."""

from __future__ import annotations

import logging
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from tests import faults

from . import checks, journal, reference
from .daemon import Daemon, scripted
from .stage import PIPELINE, Stage, set_up
from .witness import Witness

logger = logging.getLogger("sweep")
_MODULE = "tests.scripted.daemon"
_SECONDS = 300.0


@dataclass(frozen=True)
class Sweep:
    """A film of a few windows, and what an undisturbed run says of it."""

    folder: Path
    film: Path
    undisturbed: Stage
    library: Path

    @property
    def expected(self) -> Path:
        return self.undisturbed.results / PIPELINE / f"{self.film.name}.json"

    def side_effects(self) -> list[journal.Effect]:
        """What the supervisor does to its disk in one run, from nothing to the end."""
        stage = self._stage("counted")
        record = self.folder / "counted.journal"
        _run(stage, faults.environment(self.library, stage.state, only=_MODULE, JOURNAL=record), killed=False)
        return list(journal.read(record))

    def killed_at(self, number: int) -> list[str]:
        """Kill it in place of this side effect, start it again, and look. Returns what does not hold."""
        stage = self._stage(f"at {number}")
        fault = faults.environment(self.library, stage.state, only=_MODULE, KILL=f"{number}:before")
        reached = _run(stage, fault, killed=True)
        daemon = scripted(stage)
        witness = Witness(daemon)
        witness.look()
        daemon.close()
        _run(stage, {}, killed=False)
        broken = [*witness.lost(), *checks.sound(stage, self.undisturbed)]
        broken += reference.differences(self.film.name, self.expected, self._result(stage), exact=True)
        if len(stage.asked()) > 2 * checks.answers(stage):
            broken.append(f"{len(stage.asked())} questions for {checks.answers(stage)} answers")
        shutil.rmtree(stage.folder)
        if not reached:
            logger.info("the run ended before side effect %d", number)
        return [f"killed at side effect {number}: {sentence}" for sentence in broken]

    def _stage(self, name: str) -> Stage:
        stage = set_up(self.folder / name)
        stage.drop(self.film)
        return stage

    def _result(self, stage: Stage) -> Path:
        return stage.results / PIPELINE / f"{self.film.name}.json"


def _run(stage: Stage, environment: dict[str, str], killed: bool) -> bool:
    """To the end, or until it is killed; says which. Anything else is an error."""
    daemon: Daemon = scripted(stage)
    try:
        daemon.start("--once", environment=environment)
        code = daemon.wait(_SECONDS)
    finally:
        daemon.close()
    if code != 0 and not (killed and code == -signal.SIGKILL):
        raise AssertionError(f"the daemon ended with {code}:\n{daemon.log[-3000:]}")
    return code != 0
