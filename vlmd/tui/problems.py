"""Everything that is wrong, each with its reason and the verb that helps. Pure; for `status` and `top` alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True):
    what: str
    reason: str
    remedy: str = ""
    serious: bool = True
    """False for a result that is there and may be less than it looks."""


_DEVICE_REMEDY = {
    "parked": "put that right, then start the daemon anew",
    "restarting": "it is started again by itself",
    "loading": "it is being started again",
}


def problems(document: dict[str, Any]) -> list[Problem]:
    """From the daemon's status: first what concerns all, then devices, then what has no result, then doubts."""
    return [*_of_the_daemon(document), *_of_devices(document), *_without_result(document), *_doubts(document)]


def _of_the_daemon(document: dict[str, Any]) -> Iterator[Problem]:
    for found in document.get("problems", []):
        yield Problem(str(found.get("what", "")), str(found.get("reason", "")), str(found.get("remedy") or ""))
    if problem := document["inbox"]["problem"]:
        yield Problem("inbox", problem, "nothing new is taken until that is put right")
    if missing := document["sandbox_missing"]:
        reason = f"decoders run without {', '.join(missing)}"
        yield Problem("sandbox", reason, "run on Linux 5.13 or newer with Landlock", serious=False)


def _of_devices(document: dict[str, Any]) -> Iterator[Problem]:
    for device in document["devices"]:
        if device["reason"]:
            remedy = device.get("remedy") or _DEVICE_REMEDY.get(device["state"], "")
            yield Problem(f"{device['name']} {device['state']}", device["reason"], remedy)


def _without_result(document: dict[str, Any]) -> Iterator[Problem]:
    for job in document["failed"]:
        yield Problem(f"job {job['id']} {job['name']}", f"{job['code']}: {job['reason']}", job["remedy"])
    for file in document["refused"]:
        yield Problem(f"refused {file['path']}", f"{file['code']}: {file['reason']}", file["remedy"])


def _doubts(document: dict[str, Any]) -> Iterator[Problem]:
    for job in document["doubtful"]:
        for reason, remedy in _doubts_about(job):
            yield Problem(f"job {job['id']} {job['name']}", reason, remedy, serious=False)


def _doubts_about(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is odd about a result, and what helps."""
    total, failed, said = job["windows"]["total"], job["windows"]["failed"], job["summary"]
    show, answered = f"`vlmd show {job['id']}`", total - failed
    if failed:
        yield f"{failed} of {total} windows failed", f"{show} says why; `vlmd retry {job['id']}` asks them again"
    if said["truncated"]:
        yield "the end of the video is missing", "copy it again"
    if answered and said["unparseable"] == answered:
        yield f"not one of {answered} answers can be read", "`vlmd try` shows what the model says; change the prompt"
    elif said["unparseable"]:
        yield f"{said['unparseable']} of {answered} answers cannot be read", "the result lists them with their text"
    elif answered and not said["windows_with_events"]:
        yield f"all {answered} windows answered none", "if that is wrong, `vlmd try` shows what the model says"
