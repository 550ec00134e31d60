"""How the daemon is doing.

GET  /v1/status     devices, queue, inbox, and everything that is wrong
"""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vlmd import __version__
from vlmd.clock import now_ms
from vlmd.core.answers import Timings
from vlmd.core.messages.worker import ModelSpec
from vlmd.core.names import shown
from vlmd.store import views
from vlmd.supervisor.api.answering import read
from vlmd.supervisor.devices.discovery import readings
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.fleet.states import SlotState
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    return [Route("/v1/status", _Status(parts).answer)]


class _Status:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._daemon = DaemonStatus(parts)

    async def answer(self, request: Request) -> Response:
        queue = await read(self._parts.settings.paths.database, views.queue_status)
        return JSONResponse({**await self._daemon.document(), **queue})


class DaemonStatus:
    """What only the running daemon knows."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started = now_ms()

    async def document(self) -> dict[str, Any]:
        parts = self._parts
        measured = await readings(parts.devices, parts.nvml)
        now = time.monotonic()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": (now_ms() - self._started) / 1000,
            "paths": {name: str(path) for name, path in parts.settings.paths.model_dump().items()},
            "windows_per_second": round(parts.fleet.rate.per_second(now), 3),
            "devices": [_device(slot, msgspec.to_builtins(measured[slot.name]), now) for slot in parts.fleet.slots],
            "models": [
                {
                    "name": model.name,
                    "path": model.path,
                    "revision": model.revision,
                    "verified": verified_on(parts, model),
                }
                for model in parts.models.values()
            ],
            "swaps": {
                "count": sum(slot.tally.swaps for slot in parts.fleet.slots),
                "seconds": round(sum(slot.tally.swap_seconds for slot in parts.fleet.slots), 1),
            },
            "inbox": {
                "settling": parts.inbox.settling,
                "growing": {name: round(seconds) for name, seconds in parts.inbox.growing.items()},
                "ignored": parts.inbox.ignored,
                "problem": parts.inbox.problem,
                "looks": parts.inbox.looks,
            },
            "gpu_health_problem": parts.gpu_health.problem,
            "unloadable": [
                {"model": name, "reason": failure.reason, "remedy": failure.remedy}
                for name, failure in (dict(parts.absent) | parts.fleet.unloadable()).items()
            ],
            "problems": [msgspec.to_builtins(problem) for problem in parts.problems()],
            "sandbox_missing": parts.planner.sandbox_missing,
            "indexing": {str(job): count for job, count in parts.planner.bytes_read.items()},
            "finding_scenes": {str(job): round(share, 3) for job, share in parts.planner.scenes_sought.items()},
        }


def _device(slot: Slot, reading: dict[str, Any], now: float) -> dict[str, Any]:
    looking_at = _looking_at(slot)
    return {
        "name": slot.name,
        "label": slot.device.label,
        "state": slot.state,
        "paused": slot.paused,
        "needs_bytes": slot.needs if slot.device.uuid else None,
        "reason": slot.reason,
        "stage": slot.worker.stage if slot.worker else "",
        "loading": _loading(slot, now),
        "next_model": slot.next_model,
        "pid": slot.pid,
        "uptime_s": round(now - slot.ready_at, 1) if slot.ready else None,
        "model": (slot.team.lent_to or slot).model.name,
        "devices": [slot.name, *(partner.name for partner in slot.team.partners)],
        "lent_to": slot.team.lent_to.name if slot.team.lent_to else None,
        "precision": slot.ready.precision if slot.ready else None,
        "model_bytes": slot.ready.memory_bytes if slot.ready else None,
        "model_bytes_planned": slot.ready.memory_planned if slot.ready else None,
        "batch": _batch(slot.tally.timings) if slot.ready and slot.tally.timings else None,
        "job": looking_at["job"] if looking_at else None,
        "looking_at": looking_at,
        "windows_held": sum(len(run.windows) for run in slot.leases.values()),
        "windows_per_second": round(slot.tally.window_rate.per_second(now), 3),
        "tokens_per_second": round(slot.tally.token_rate.per_second(now), 1),
        "answered": slot.tally.answered,
        "tokens": slot.tally.tokens,
        "deaths": slot.tally.deaths,
        "swaps": slot.tally.swaps,
        "swap_seconds": round(slot.tally.swap_seconds, 1),
        "reading": {**reading, "memory_total": slot.device.memory_total},
    }


def verified_on(parts: Parts, model: ModelSpec) -> list[dict[str, Any]]:
    """What canary windows showed of it, on each kind of device that is here; nothing where it was not tried."""
    entries = {device.label: parts.verified.of(model, device) for device in parts.devices}
    return [{**msgspec.to_builtins(entry), "ok": entry.ok} for entry in entries.values() if entry is not None]


def _loading(slot: Slot, now: float) -> dict[str, Any] | None:
    """How far it has loaded its model; None while it does something else. `share` is of the parts of its stage."""
    if slot.worker is None or slot.state != SlotState.LOADING:
        return None
    loading = slot.worker.loading
    share, left = loading.share, loading.left(now)
    return {
        "seconds": round(loading.seconds(now), 1),
        "share": None if share is None else round(share, 3),
        "left_s": None if left is None else round(left, 1),
    }


def _batch(timings: Timings) -> dict[str, Any]:
    """The newest batch of which a window was answered: what it was planned to take, and what it took."""
    return {"windows": timings.batch, "bytes_planned": timings.memory_planned, "bytes_used": timings.memory_used}


def _looking_at(slot: Slot) -> dict[str, Any] | None:
    """The first window of the batch on the device, else of what the worker is decoding."""
    held = slot.worker.held.begun if slot.worker else ()
    begun = min((key for key in held if key[0] in slot.leases), default=None)
    lease = begun[0] if begun else next(iter(slot.leases), None)
    if lease is None:
        return None
    run = slot.leases[lease]
    starts = {window.index: window.start_ms for window in run.windows}
    start_ms = starts.get(begun[1], run.windows[0].start_ms) if begun else run.windows[0].start_ms
    return {"job": run.job, "name": shown(os.path.basename(run.file.path)), "at_s": start_ms / 1000}
