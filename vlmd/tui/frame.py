"""What one frame says: plain data, made of what the daemon answered. Pure; times are passed in."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from vlmd.core.names import shown
from vlmd.tui.doing import doing, swaps
from vlmd.tui.problems import Problem, by_kind, problems, unlisted
from vlmd.tui.seen import Sighting


class DeviceLine(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it is now. What is not known is None."""

    name: str
    state: str
    model: str
    load: int | None
    memory_used: int | None
    memory_total: int | None
    temperature: int | None
    windows_per_second: float
    tokens_per_second: float
    video: str | None
    at_s: float | None
    doing: str
    """For people, where it looks at nothing: how far it is loaded, or why it cannot work."""


FINDING_SCENES = "scenes"
"""What the state of an indexing job reads once its video was read, and scenes are looked for."""


class JobLine(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    video: str
    state: str
    share: float | None
    """Of what it does now: of its windows, of the bytes that are read to index it, or of looking for scenes."""
    total: int
    done: int
    failed: int
    rtf: float | None
    """Real-time factor: processing time / video time, so below 1 is faster than the video plays."""
    left_s: float | None
    found: int | None
    waits: str
    """Why nobody answers its windows, where that is more than its turn."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    up_s: float
    windows_per_second: float
    tokens_per_second: float
    jobs: dict[str, int]
    total: int
    """Windows of unfinished jobs, and of those that were done while these waited."""
    done: int
    left_s: float | None
    settling: int
    swaps: str
    """In words; "" where there were none."""
    devices: list[DeviceLine]
    active: list[JobLine]
    ended: list[JobLine]
    active_count: int
    seen: list[Sighting]
    problems: list[Problem]
    problem_count: int


ENDED = ("done", "failed", "cancelled", "quarantined")


def make_frame(
    document: dict[str, Any], seen: Sequence[Sighting], counts: Mapping[int, int], now: datetime.datetime
) -> Frame:
    """`counts`: what was found so far by jobs that have no result yet, where they are known."""
    windows, rate, beside = document["windows"], document["windows_per_second"], document["done_beside"]
    done = windows["answered"] + windows["failed"]
    found = problems(document)
    return Frame(
        version=shown(document["version"]),
        up_s=document["uptime_s"],
        windows_per_second=rate,
        tokens_per_second=sum(device["tokens_per_second"] for device in document["devices"]),
        jobs={shown(state): count for state, count in document["jobs"].items()},
        total=windows["total"] and windows["total"] + beside,
        done=done + beside,
        left_s=_ratio(windows["total"] - done, rate),
        settling=len(document["inbox"]["settling"]),
        swaps=swaps(document),
        devices=[_device(device) for device in document["devices"]],
        active=_active(document, counts, now),
        ended=[_job(job, job["summary"] and job["summary"]["events"], now) for job in document["ended"]],
        active_count=sum(count for state, count in document["jobs"].items() if state not in ENDED),
        seen=list(seen),
        problems=by_kind(found),
        problem_count=len(found) + unlisted(document),
    )


def running_jobs(document: dict[str, Any]) -> list[int]:
    """Jobs of which answers come in."""
    return [job["id"] for job in document["active"] if job["state"] in ("running", "merging")]


def _active(document: dict[str, Any], counts: Mapping[int, int], now: datetime.datetime) -> list[JobLine]:
    """Unfinished jobs in the order they are worked on: each ends when all windows up to its last are answered."""
    lines, ahead = [], 0
    for job in document["active"]:
        ahead += job["windows"]["total"] - job["windows"]["answered"] - job["windows"]["failed"]
        planned = job["state"] in ("queued", "running")
        left = _ratio(ahead, document["windows_per_second"]) if planned else None
        lines.append(_read(_job(job, counts.get(job["id"]), now, left), job, document))
    return lines


def _job(
    job: dict[str, Any],
    found: int | None,
    now: datetime.datetime,
    left_s: float | None = None,
) -> JobLine:
    windows = job["windows"]
    done = windows["answered"] + windows["failed"]
    share = _ratio(done, windows["total"])
    return JobLine(
        id=job["id"],
        video=_file_name(job["name"]),
        state=shown(job["state"]),
        share=None if share is None else min(1.0, share),
        total=windows["total"],
        done=done,
        failed=windows["failed"],
        rtf=_real_time_factor(job, now),
        left_s=left_s,
        found=found,
        waits=shown(job.get("waits") or ""),
    )


def _read(line: JobLine, job: dict[str, Any], document: dict[str, Any]) -> JobLine:
    """A job whose video is still read: how far that is; then, where it needs them, how far its scenes are found."""
    key = str(job["id"])
    if job["state"] != "indexing":
        return line
    if (share := document["finding_scenes"].get(key)) is not None:
        return msgspec.structs.replace(line, state=FINDING_SCENES, share=share)
    share = _ratio(document["indexing"].get(key, 0), job["size"])
    return msgspec.structs.replace(line, share=None if share is None else min(1.0, share))


def _real_time_factor(job: dict[str, Any], now: datetime.datetime) -> float | None:
    """Time since its first window was given out, per second of video that was looked at since.

    Answers that were taken over cost no time and count for no video.
    """
    windows = job["windows"]
    asked = windows["answered"] + windows["failed"] - windows["reused"]
    if not job["started"] or not asked or not job["duration_s"]:
        return None
    end = datetime.datetime.fromisoformat(job["finished"]) if job["finished"] else now
    seconds = (end - datetime.datetime.fromisoformat(job["started"])).total_seconds()
    looked_at_s: float = job["duration_s"] * asked / windows["total"]
    return max(0.0, seconds) / looked_at_s


def _device(device: dict[str, Any]) -> DeviceLine:
    reading, looking_at = device["reading"], device["looking_at"]
    return DeviceLine(
        name=device["name"],
        state=shown(device["state"]),
        model=shown(device["model"]),
        load=reading["utilisation"],
        memory_used=reading["memory_used"],
        memory_total=reading["memory_total"],
        temperature=reading["temperature"],
        windows_per_second=device["windows_per_second"],
        tokens_per_second=device["tokens_per_second"],
        video=looking_at and _file_name(looking_at["name"]),
        at_s=looking_at and looking_at["at_s"],
        doing=_doing(device),
    )


def _doing(device: dict[str, Any]) -> str:
    return doing(device) or shown(device["reason"] or "")


def _file_name(name: str) -> str:
    return shown(name.rsplit("/", 1)[-1])


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
