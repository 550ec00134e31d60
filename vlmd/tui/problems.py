"""Everything that is wrong, each with its reason and the verb that helps. Pure; for `status` and `top` alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from vlmd.core.doubts import kind, remedy


class Problem(msgspec.Struct, frozen=True):
    what: str
    reason: str
    remedy: str = ""
    serious: bool = True
    """False for a result that is there and may be less than it looks."""
    kind: str = ""
    """Problems of one kind are alike: a screen shows the first of them."""
    alike: int = 0
    """How many more of its kind this one stands for."""


_DEVICE_REMEDY = {
    "parked": "put that right, then `vlmd resume`",
    "restarting": "it is started again by itself",
    "loading": "it is being started again",
    "waiting": "it starts by itself once there is room",
}
_NORMAL = ("lent", "starting")
"""States in which a reason tells of nothing wrong at all."""
_BROKEN = ("parked", "restarting", "loading")
"""States in which a reason tells of something that broke; in others it only explains."""


def problems(document: dict[str, Any]) -> list[Problem]:
    """From the daemon's status: first what concerns all, then devices, then what has no result, then doubts."""
    return [*_of_the_daemon(document), *_of_devices(document), *_without_result(document), *_doubts(document)]


def unlisted(document: dict[str, Any]) -> int:
    """Failed jobs and refused files beyond those the document lists."""
    ends = document["open_ends"]
    return int(ends["failed"] + ends["refused"] - len(document["failed"]) - len(document["refused"]))


def by_kind(found: Iterable[Problem]) -> list[Problem]:
    """The first of each kind, which stands for the others."""
    kinds: dict[object, list[Problem]] = {}
    for number, problem in enumerate(found):
        kinds.setdefault(problem.kind or number, []).append(problem)
    return [replace(first, alike=len(others)) for first, *others in kinds.values()]


def _of_the_daemon(document: dict[str, Any]) -> Iterator[Problem]:
    for found in document.get("problems", []):
        yield Problem(str(found.get("what", "")), str(found.get("reason", "")), str(found.get("remedy") or ""))
    if problem := document["inbox"]["problem"]:
        yield Problem("inbox", problem, "nothing new is taken until that is put right")
    if unknown := document.get("gpu_health_problem"):
        yield Problem("GPU health", f"not known: {unknown}", "see whether `nvidia-smi` answers")
    for model in document.get("unloadable", []):
        yield Problem(
            f"model {model['model']}", f"its jobs wait, it cannot be loaded: {model['reason']}", model["remedy"]
        )
    yield from _untold(document)
    if missing := document["sandbox_missing"]:
        reason = f"decoders run without {', '.join(missing)}"
        yield Problem("sandbox", reason, "run on Linux 5.13 or newer with Landlock", serious=False)


def _untold(document: dict[str, Any]) -> Iterator[Problem]:
    """Hooks that were called in vain."""
    for notice in document.get("hooks", {}).get("untold", []):
        what, helps = f"on_{notice['event']} of job {notice['job']}", "it is tried again by itself"
        if notice["given_up"]:
            helps = "given up; restart the daemon to have it tried again"
        yield Problem(what, f"{notice['problem']}, {notice['tries']} tries", helps, kind="hook")


def _of_devices(document: dict[str, Any]) -> Iterator[Problem]:
    for device in document["devices"]:
        if device["reason"] and device["state"] not in _NORMAL:
            remedy = device.get("remedy") or _DEVICE_REMEDY.get(device["state"], "")
            serious = device["state"] in _BROKEN
            yield Problem(f"{device['name']} {device['state']}", device["reason"], remedy, serious)


def _without_result(document: dict[str, Any]) -> Iterator[Problem]:
    for job in document["failed"]:
        what, reason = f"job {job['id']} {job['name']}", f"{job['code']}: {job['reason']}"
        yield Problem(what, reason, job["remedy"], kind=job["code"])
    for file in document["refused"]:
        what, reason = f"refused {file['path']}", f"{file['code']}: {file['reason']}"
        yield Problem(what, reason, file["remedy"], kind=file["code"])


def _doubts(document: dict[str, Any]) -> Iterator[Problem]:
    for job in document["doubtful"]:
        for doubt in job["summary"]["doubts"]:
            what, helps = f"job {job['id']} {job['name']}", remedy(doubt, job["id"])
            yield Problem(what, doubt, helps, serious=False, kind=kind(doubt))
