"""Mutants in portions through one running daemon: real inbox, decoders, store and merger; scripted workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos_kit import daemon as daemons
from chaos_kit.daemon import Daemon, Deadline
from chaos_kit.endings import Ending, all_ended, broken_promises, endings
from chaos_kit.stage import Stage, set_up

from .mutants import Mutant, mutant

logger = logging.getLogger("fuzz")

WALL_SECONDS = 60
"""A decoder may be waited for so long; three are tried, and then every lease of the video has its own."""
_LIMITS = {
    "decoder_cpu_seconds": 20,
    "decoder_stall_seconds": 30.0,
    "decoder_wall_seconds": float(WALL_SECONDS),
    "decoder_memory_bytes": 2 << 30,
    "lease_windows": 64,
    "max_windows": 500,
}
_WINDOW = {"length": 4.0, "step": 4.0, "fps": 0.5}


@dataclass
class Outcome:
    """Every mutant's ending and what it took, in seconds from drop to end of its portion's slowest predecessor."""

    endings: dict[str, Ending] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    windows_failed: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, str] = field(default_factory=dict)
    """Names of mutants that ended a decoder by a signal, and what was said of it."""
    broken: list[str] = field(default_factory=list)


def run(
    folder: Path, originals: Mapping[str, bytes], seed: int, count: int, portion: int, keep: Path | None
) -> Outcome:
    """All mutants; what ends a decoder by a signal, or breaks a promise, is copied to `keep`."""
    stage = set_up(folder, workers=2, limits=_LIMITS, window=_WINDOW)
    daemon, outcome = daemons.scripted(stage), Outcome()
    try:
        daemon.start()
        daemon.until_answering()
        for first in range(0, count, portion):
            numbers = range(first, min(count, first + portion))
            mutants = [mutant(seed, number, originals) for number in numbers]
            _portion(daemon, mutants, outcome)
            _keep(mutants, outcome, keep)
            logger.info("%d of %d", numbers.stop, count)
        if daemon.stop() != 0:
            outcome.broken.append("the daemon did not end in order")
    except Deadline as error:
        outcome.broken.append(str(error))
    finally:
        daemon.close()
    return outcome


def _portion(daemon: Daemon, mutants: list[Mutant], outcome: Outcome) -> None:
    names = [mutant.name for mutant in mutants]
    for one in mutants:
        _drop(daemon.stage, one)
    patience = 60.0 + WALL_SECONDS * len(names)
    try:
        daemon.until(lambda: all_ended(daemon, names), "a portion has ended", patience)
    finally:
        found = endings(daemon)
        outcome.endings.update({name: found[name] for name in names if name in found})
        outcome.broken += broken_promises(daemon, names)
        outcome.seconds.update(_seconds(daemon, names))
        outcome.crashes.update(_crashes(daemon, names))
        _count_failed_windows(daemon, names, outcome)
    for name in names:
        (daemon.stage.inbox / name).unlink()


def _drop(stage: Stage, one: Mutant) -> None:
    partial = stage.inbox / ".dropped.part"
    partial.write_bytes(one.data)
    partial.rename(stage.inbox / one.name)


def _seconds(daemon: Daemon, names: list[str]) -> Iterator[tuple[str, float]]:
    """How long indexing took: from the end of the one before, since one is read at a time on a small machine."""
    before = 0
    rows = daemon.rows(
        "SELECT j.name, t.at, j.created_at FROM transitions t JOIN jobs j ON j.id = t.job_id "
        "WHERE t.old = 'indexing' ORDER BY t.at"
    )
    for row in rows:
        name = row["name"].rpartition("/")[2]
        if name in names:
            yield name, (row["at"] - max(before, row["created_at"])) / 1000
        before = row["at"]


def _crashes(daemon: Daemon, names: list[str]) -> Iterator[tuple[str, str]]:
    """Whatever a decoder died of: at indexing it is the job's reason, later a window's."""
    rows = daemon.rows(
        "SELECT name, reason FROM jobs UNION SELECT j.name, w.reason FROM windows w JOIN jobs j ON j.id = w.job_id"
    )
    for row in rows:
        name = row["name"].rpartition("/")[2]
        if name in names and "the decoder ended by SIG" in (row["reason"] or ""):
            yield name, row["reason"]


def _count_failed_windows(daemon: Daemon, names: list[str], outcome: Outcome) -> None:
    rows = daemon.rows("SELECT j.name, w.code FROM windows w JOIN jobs j ON j.id = w.job_id WHERE w.state = 'failed'")
    for row in rows:
        if row["name"].rpartition("/")[2] in names:
            outcome.windows_failed[row["code"]] = outcome.windows_failed.get(row["code"], 0) + 1


def _keep(mutants: list[Mutant], outcome: Outcome, folder: Path | None) -> None:
    blamed = " ".join(outcome.broken)
    for one in mutants:
        if folder is not None and (one.name in outcome.crashes or one.name in blamed):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / one.name).write_bytes(one.data)
