"""How every dropped file ended, and whether it may end so."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from vlmd.core.errors import Code
from vlmd.core.states import ENDED_JOBS

from .daemon import Daemon
from .stage import PIPELINE


@dataclass(frozen=True)
class Ending:
    """`state` is a job's, or "refused"; `code` says why there is no result."""

    state: str
    code: str | None
    reason: str | None
    result: str | None = None


def endings(daemon: Daemon) -> dict[str, Ending]:
    """By name below the pipeline's folder, the newest job of each; and what was refused."""
    found = {
        row["name"].removeprefix(f"{PIPELINE}/"): Ending(row["state"], row["code"], row["reason"], row["result"])
        for row in daemon.jobs()
    }
    for row in daemon.rows("SELECT * FROM files WHERE state = 'refused'"):
        name = row["path"].rpartition(b"/")[2].decode(errors="replace")
        found[name] = Ending("refused", row["code"], row["reason"])
    return found


def all_ended(daemon: Daemon, names: Iterable[str]) -> bool:
    found = endings(daemon)
    return all(name in found and found[name].state in (*ENDED_JOBS, "refused") for name in names)


def broken_promises(daemon: Daemon, names: Iterable[str]) -> list[str]:
    """What does not hold of files that have been dropped: seen is done, failed, quarantined or refused, with a reason,
    results say how much they cover, and no worker was lost."""
    found = endings(daemon)
    broken = [sentence for name in names for sentence in _wrong(daemon, name, found.get(name))]
    if lost := daemon.log.count("the worker is gone"):
        broken.append(f"{lost} workers were lost")
    if "Traceback" in daemon.log:
        broken.append("somebody raised what nobody caught")
    return broken


def _wrong(daemon: Daemon, name: str, ending: Ending | None) -> list[str]:
    if ending is None:
        return [f"{name}: nobody knows of it"]
    if ending.state == "done":
        return _wrong_result(daemon, name, ending)
    if ending.state not in ("failed", "quarantined", "refused"):
        return [f"{name}: is {ending.state}"]
    known = ending.code in set(Code) and ending.reason
    return [] if known else [f"{name}: {ending.state} without a reason"]


def _wrong_result(daemon: Daemon, name: str, ending: Ending) -> list[str]:
    document = json.loads((daemon.stage.results / f"{ending.result}.json").read_text())
    coverage = document["coverage"]
    whole = coverage["windows"] > 0 and coverage["answered"] + coverage["failed"] == coverage["windows"]
    return [] if whole and "share_of_video" in coverage else [f"{name}: a result that does not say what it covers"]
