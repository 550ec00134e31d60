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
from vlmd.store import views
from vlmd.supervisor.api.answering import read
from vlmd.supervisor.devices.discovery import readings
from vlmd.supervisor.fleet.slot import Slot
from vlmd.supervisor.parts import Parts


def routes(parts: Parts) -> list[Route]:
    return [Route("/v1/status", _Status(parts).answer)]


class _Status:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started = now_ms()

    async def answer(self, request: Request) -> Response:
        queue = await read(self._parts.settings.paths.database, views.queue_status)
        return JSONResponse({**await self._daemon(), **queue})

    async def _daemon(self) -> dict[str, Any]:
        """What only the running daemon knows."""
        parts = self._parts
        measured = await readings(parts.devices, parts.nvml)
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": (now_ms() - self._started) / 1000,
            "paths": {name: str(path) for name, path in parts.settings.paths.model_dump().items()},
            "windows_per_second": round(parts.fleet.rate.per_second(time.monotonic()), 3),
            "devices": [_device(slot, msgspec.to_builtins(measured[slot.name])) for slot in parts.fleet.slots],
            "inbox": {
                "settling": parts.inbox.settling,
                "growing": {name: round(seconds) for name, seconds in parts.inbox.growing.items()},
                "ignored": parts.inbox.ignored,
                "problem": parts.inbox.problem,
                "looks": parts.inbox.looks,
            },
            "gpu_health_problem": parts.health.problem,
            "unloadable": [
                {"model": name, "reason": failure.reason, "remedy": failure.remedy}
                for name, failure in parts.fleet.unloadable().items()
            ],
            "problems": [msgspec.to_builtins(problem) for problem in parts.problems()],
            "sandbox_missing": parts.planner.sandbox_missing,
            "indexing": {str(job): count for job, count in parts.planner.bytes_read.items()},
        }


def _device(slot: Slot, reading: dict[str, Any]) -> dict[str, Any]:
    looking_at = next(iter(slot.leases.values()), None)
    return {
        "name": slot.name,
        "label": slot.device.label,
        "state": slot.state,
        "paused": slot.paused,
        "needs_bytes": slot.needs if slot.device.uuid else None,
        "reason": slot.reason,
        "stage": slot.stage,
        "pid": slot.pid,
        "model": slot.model.name,
        "precision": slot.ready.precision if slot.ready else None,
        "model_bytes": slot.ready.memory_bytes if slot.ready else None,
        "job": looking_at.job if looking_at else None,
        "windows_held": sum(len(run.windows) for run in slot.leases.values()),
        "answered": slot.answered,
        "tokens": slot.tokens,
        "deaths": slot.deaths,
        "reading": reading,
    }
