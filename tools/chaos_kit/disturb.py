"""A daemon at work, and somebody who kills parts of it.

Every strike waits for a random moment. So that there is always work, a job that is done is compared with the
reference and asked afresh (`retry --fresh`) for as long as strikes are left. In the middle of it all a copy of a
video is dropped under another name: it must be answered without a question of its own.
"""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from . import reference
from .daemon import Deadline
from .processes import Process, seconds_until_gone
from .stage import PIPELINE, Model, Stage, set_up
from .victims import Victims
from .witness import Witness

logger = logging.getLogger("chaos")

COPY = "copied later.mp4"
_SUPERVISOR = "supervisor"
_STOP = "stop"
_ORPHAN_LIMIT = 1.0
"""Seconds after the supervisor's death in which every process below it must be gone."""
_TICK = 0.02
_PATIENCE = 300.0


@dataclass(frozen=True)
class Campaign:
    """What is to be done to the daemon."""

    model: Model
    kills: int
    supervisor_kills: int
    seed: int
    workers: int
    pause: float = 0.7
    """Longest pause before a strike, in seconds."""
    answer_seconds: float = 0.05
    """What a scripted answer takes."""
    stops: int = 0
    """Workers that are stopped for good, as if they hung."""
    progress_seconds: float = 120.0
    """After so much silence the daemon has to kill them."""


@dataclass
class Outcome:
    """What was seen while it ran."""

    stage: Stage
    witness: Witness
    victims: Victims
    expected: dict[str, Path]
    """Name of a video → the reference's result."""
    orphans: list[float] = field(default_factory=list)
    """Seconds each supervisor's children outlived it."""
    supervisor_deaths: list[int] = field(default_factory=list)
    """When, in milliseconds since 1970."""
    hung: list[float] = field(default_factory=list)
    """Seconds each stopped worker lived on."""
    violations: list[str] = field(default_factory=list)
    compared: int = 0
    """Results compared with the reference's."""
    seconds: float = 0.0


class Disturbance:
    """One disturbed run; `run` is all of it."""

    def __init__(self, campaign: Campaign, folder: Path, videos: Sequence[Path], undisturbed: Stage) -> None:
        self._campaign = campaign
        self._videos = videos
        self._dice = random.Random(campaign.seed)
        limits = {"progress_seconds": campaign.progress_seconds}
        stage = set_up(folder, campaign.workers, campaign.model, limits=limits)
        stage.save_script(seconds=campaign.answer_seconds)
        self.daemon = reference.daemon_of(stage, campaign.model)
        expected = {video.name: undisturbed.results / PIPELINE / f"{video.name}.json" for video in videos}
        self.outcome = Outcome(stage, Witness(self.daemon), Victims(self.daemon, self._dice), expected)
        self._strikes_left = 0
        self._dropped = 0
        self._compared: set[tuple[int, int]] = set()

    def run(self) -> Outcome:
        begun = time.monotonic()
        try:
            for video in self._videos:
                self._drop(video, video.name)
            self.daemon.start()
            self._disturb()
            self._finish()
        except Deadline as late:
            self.outcome.violations.append(str(late))
        finally:
            self.daemon.close()
        self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    def _disturb(self) -> None:
        campaign = self._campaign
        strikes = [_SUPERVISOR] * campaign.supervisor_kills + ["process"] * campaign.kills + [_STOP] * campaign.stops
        self._dice.shuffle(strikes)
        for number, strike in enumerate(strikes):
            self._strikes_left = len(strikes) - number
            if number == len(strikes) // 2:
                self._drop(self._videos[0], COPY)
            self._pause(self._dice.uniform(0.0, self._campaign.pause))
            if strike == _SUPERVISOR:
                self._kill_supervisor()
            elif strike == _STOP:
                self._stop_worker()
            else:
                self._kill_process()
            if number % 10 == 9:
                logger.info("%d of %d kills, %d answers", number + 1, len(strikes), len(self.outcome.witness))
        self._strikes_left = 0

    def _kill_supervisor(self) -> None:
        self.outcome.supervisor_deaths.append(time.time_ns() // 1_000_000)
        pid = self.daemon.pid
        seconds = seconds_until_gone(pid, self.daemon.kill(), _PATIENCE)
        if seconds > _ORPHAN_LIMIT:
            self.outcome.violations.append(f"children of a killed supervisor lived for {seconds:.1f} s")
        self.outcome.orphans.append(seconds)
        self.outcome.victims.new_daemon()
        self.daemon.start()

    def _kill_process(self) -> None:
        """A worker or a decoder: wait for one, let it live for a random moment, kill it."""
        kind = self._dice.choice(["worker", "decoder"])
        victims = self.outcome.victims

        def struck() -> bool:
            if not victims.candidates(kind):
                return False
            self._pause(self._dice.uniform(0.0, 0.3))
            return victims.strike(kind)

        self._until(struck, f"a {kind} can be killed")

    def _stop_worker(self) -> None:
        """A worker that hangs: nobody kills it but the daemon."""
        stopped: list[Process] = []

        def struck() -> bool:
            if (victim := self.outcome.victims.stop()) is not None:
                stopped.append(victim)
            return bool(stopped)

        self._until(struck, "a worker can be stopped")
        begun = time.monotonic()
        self._until(lambda: not stopped[0].alive(), "the daemon kills a worker that hangs")
        self.outcome.hung.append(time.monotonic() - begun)

    def _finish(self) -> None:
        self._until(self._all_done, "every job has ended")
        self.daemon.send(signal.SIGTERM)
        if (code := self.daemon.wait()) != 0:
            self.outcome.violations.append(f"the daemon ended with exit code {code}")
        for name, job in self._done().items():
            self._compare(name, job)

    def _all_done(self) -> bool:
        self._tick()
        jobs = self.daemon.jobs()
        return len(jobs) == self._dropped and all(job["finished_at"] is not None for job in jobs)

    def _drop(self, video: Path, name: str) -> None:
        self.outcome.stage.drop(video, name)
        self._dropped += 1

    def _done(self) -> dict[str, str]:
        """Base name of a video → path of its result, for jobs that are done."""
        return {job["name"].rpartition("/")[2]: job["result"] for job in self.daemon.jobs("done")}

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(_TICK, left))

    def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise Deadline(f"{what}: not within {_PATIENCE:.0f} s; the daemon said\n{self.daemon.log[-2000:]}")
            self._tick()
            time.sleep(_TICK)

    def _tick(self) -> None:
        """What goes on all the while."""
        if not self.daemon.running:
            raise Deadline(f"the daemon ended by itself:\n{self.daemon.log[-2000:]}")
        self.outcome.witness.look()
        if self._strikes_left:
            for job in self.daemon.jobs("done"):
                self._again(job, job["name"].rpartition("/")[2])

    def _again(self, job: dict[str, Any], name: str) -> None:
        """A done job is compared and asked afresh. If the daemon dies over it, the next tick sees what is true."""
        if name == COPY:
            return
        if (job["id"], job["finished_at"]) not in self._compared:
            self._compared.add((job["id"], job["finished_at"]))
            self._compare(name, job["result"])
        try:
            self.daemon.post(f"/v1/jobs/{job['id']}/retry", {"fresh": True})
        except httpx.TransportError:
            return

    def _compare(self, name: str, result: str) -> None:
        """With the reference's result; the copy's has another name in it, so its events have to do."""
        original = self._videos[0].name if name == COPY else name
        found = self.outcome.stage.results / f"{result}.json"
        exact = self._campaign.model == "scripted" and name != COPY
        self.outcome.violations += reference.differences(name, self.outcome.expected[original], found, exact)
        self.outcome.compared += 1
